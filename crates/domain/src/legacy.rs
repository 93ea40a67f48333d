//! Forms of facts that old logs have and new ones don't.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Request;
use antiphon_protocol::{ResponseId, Truncation};

/// The parameters of a response as [`Fact::Created`](super::Fact::Created) keeps them: positional, so that no
/// field can ever be added.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PositionalRequest {
    model: String,
    instructions: Option<String>,
    previous_response_id: Option<ResponseId>,
    metadata: BTreeMap<String, String>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    max_output_tokens: u32,
    truncation: Truncation,
    store: bool,
    background: bool,
    user: Option<String>,
    safety_identifier: Option<String>,
    prompt_cache_key: Option<String>,
}

// What was asked for is content, and content is in no log.
impl std::fmt::Debug for PositionalRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PositionalRequest").finish_non_exhaustive()
    }
}

impl From<PositionalRequest> for Request {
    fn from(old: PositionalRequest) -> Self {
        Self {
            instructions: old.instructions,
            previous_response_id: old.previous_response_id,
            metadata: old.metadata,
            temperature: old.temperature,
            top_p: old.top_p,
            truncation: old.truncation,
            store: old.store,
            background: old.background,
            user: old.user,
            safety_identifier: old.safety_identifier,
            prompt_cache_key: old.prompt_cache_key,
            ..Self::new(old.model, old.max_output_tokens)
        }
    }
}
