//! The body of `POST /v1/responses`.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Input;
use crate::{Json, Truncation};

/// The body of `POST /v1/responses`. A null is the same as a missing key; unknown keys are ignored.
///
/// Parameters that come in several forms, and those that have no effect in this server, are kept as they came:
/// validation reads the former, and refuses of the latter what is not at its default.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateResponse {
    /// The model.
    pub model: Option<String>,
    /// What the model is to answer.
    pub input: Option<Input>,
    /// Instructions of this request alone.
    pub instructions: Option<String>,
    /// The response to continue.
    pub previous_response_id: Option<String>,
    /// The client's own notes.
    pub metadata: Option<IndexMap<String, String>>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// The most tokens that may come out.
    pub max_output_tokens: Option<i64>,
    /// What happens to a history that is too long.
    pub truncation: Option<Truncation>,
    /// Whether the response can be read later; true if not given.
    pub store: Option<bool>,
    /// Whether the answer is a stream of events; false if not given.
    pub stream: Option<bool>,
    /// The options of the stream.
    pub stream_options: Option<StreamOptions>,
    /// Deprecated by OpenAI; echoed.
    pub user: Option<String>,
    /// The client's id of its own user; echoed.
    pub safety_identifier: Option<String>,
    /// The client's cache key; echoed.
    pub prompt_cache_key: Option<String>,
    /// What else the answer is to hold.
    pub include: Option<Vec<String>>,
    /// The tier to serve the response in.
    pub service_tier: Option<String>,
    /// Whether to run without a client.
    pub background: Option<bool>,
    /// The conversation to continue.
    pub conversation: Option<Value>,
    /// A prompt template.
    pub prompt: Option<Value>,
    /// The tools to offer, each an object with its `type`.
    pub tools: Option<Vec<Json>>,
    /// Which tool must be called: a word, or an object with its `type`.
    pub tool_choice: Option<Json>,
    /// Whether several tools may be called at once.
    pub parallel_tool_calls: Option<bool>,
    /// The most calls of tools that the server runs itself.
    pub max_tool_calls: Option<i64>,
    /// The form of the text: `format` and `verbosity`.
    pub text: Option<IndexMap<String, Json>>,
    /// How hard to think: `effort` and `summary`.
    pub reasoning: Option<IndexMap<String, Json>>,
    /// How many token probabilities to report.
    pub top_logprobs: Option<i64>,
    /// How to shorten the context.
    pub context_management: Option<Value>,
    /// How to moderate.
    pub moderation: Option<Value>,
    /// How long the provider's cache is to keep the prompt.
    pub prompt_cache_retention: Option<String>,
    /// How the provider's cache is to be used.
    pub prompt_cache_options: Option<Json>,
}

impl CreateResponse {
    /// A request with a text as its input and everything else at its default.
    #[must_use]
    pub fn text(model: impl Into<String>, text: impl Into<String>) -> Self {
        Self { model: Some(model.into()), input: Some(Input::Text(text.into())), ..Self::default() }
    }
}

// Nearly all of a request is content, and content is in no log.
impl fmt::Debug for CreateResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateResponse")
            .field("store", &self.store)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// The options of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamOptions {
    /// Whether deltas carry padding of varying length.
    pub include_obfuscation: Option<bool>,
}
