//! What a client asked for, validated and with every default filled in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::protocol::{ResponseId, Truncation};

/// The parameters of a response, as its first fact keeps them. The input is kept apart, as items.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The model, by the name that the client gave.
    pub model: String,
    /// Instructions of this request alone.
    pub instructions: Option<String>,
    /// The response that this one goes on from.
    pub previous_response_id: Option<ResponseId>,
    /// The client's own notes.
    pub metadata: BTreeMap<String, String>,
    /// Sampling temperature; none leaves it to the provider.
    pub temperature: Option<f64>,
    /// Nucleus sampling; none leaves it to the provider.
    pub top_p: Option<f64>,
    /// The most tokens that may come out.
    pub max_output_tokens: u32,
    /// What happens to a history that is too long.
    pub truncation: Truncation,
    /// Whether the response can be read later.
    pub store: bool,
    /// Whether it runs without a client.
    pub background: bool,
    /// Echoed.
    pub user: Option<String>,
    /// Echoed.
    pub safety_identifier: Option<String>,
    /// Echoed.
    pub prompt_cache_key: Option<String>,
}

// Instructions and metadata are content, and content is in no log.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("model", &self.model).field("store", &self.store).finish_non_exhaustive()
    }
}
