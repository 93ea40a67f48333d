//! The request to a provider.

use std::{fmt, sync::Arc};

use antiphon_domain::{Prompt, Request, Target};

/// The request to a provider: the client's request and its prompt, both shared with the run, and the target.
#[derive(Clone)]
pub struct ProviderRequest {
    /// The id that ties together the client's request, this server's logs and the provider's.
    pub request_id: String,
    /// What the client asked for. Its `model` is the name that the client gave; the provider's own is in `target`.
    pub request: Arc<Request>,
    /// Instructions and conversation.
    pub prompt: Arc<Prompt>,
    /// The model at the provider, and how long the provider may take.
    pub target: Target,
}

impl ProviderRequest {
    /// Makes a request with an empty id.
    #[must_use]
    pub fn new(target: Target, request: impl Into<Arc<Request>>, prompt: impl Into<Arc<Prompt>>) -> Self {
        Self { request_id: String::new(), request: request.into(), prompt: prompt.into(), target }
    }

    /// The most output tokens that the model is asked for: the request's limit, never more than the model's cap. None
    /// leaves it to the provider.
    #[must_use]
    pub fn max_output_tokens(&self) -> Option<u32> {
        [self.request.max_output_tokens, self.target.max_output_tokens_cap].into_iter().flatten().min()
    }
}

// The prompt is content, and content is in no log.
impl fmt::Debug for ProviderRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderRequest")
            .field("request_id", &self.request_id)
            .field("model", &self.target.model)
            .finish_non_exhaustive()
    }
}
