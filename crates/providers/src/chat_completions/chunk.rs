//! What a chunk of a Chat Completions stream holds, as far as it is used. Unknown fields are ignored, and null is
//! the same as absent: many servers write null where others leave the key out.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::usage::ChunkUsage;
use crate::Report;
use crate::http::report_of;
use antiphon_protocol::{Extra, LogProb, TopLogProb, Usage};

/// One `data:` of the stream.
#[derive(Deserialize)]
pub(super) struct Chunk {
    /// The provider reports an error, in whatever shape.
    error: Option<IgnoredAny>,
    /// `"error"` in the older shape of an error.
    object: Option<String>,
    pub(super) choices: Option<Vec<ChunkChoice>>,
    usage: Option<ChunkUsage>,
    x_groq: Option<Extension>,
}

#[derive(Deserialize)]
pub(super) struct ChunkChoice {
    pub(super) index: Option<u32>,
    pub(super) delta: Option<ChunkDelta>,
    pub(super) finish_reason: Option<String>,
    pub(super) logprobs: Option<LogProbs>,
    /// The provider reports an error of this choice.
    pub(super) error: Option<Value>,
    usage: Option<ChunkUsage>,
}

#[derive(Deserialize)]
pub(super) struct ChunkDelta {
    pub(super) content: Option<DeltaContent>,
    pub(super) refusal: Option<String>,
    pub(super) reasoning_content: Option<String>,
    pub(super) reasoning: Option<String>,
    pub(super) reasoning_details: Option<Vec<Extra>>,
    /// What Google's models sign their words with.
    pub(super) extra_content: Option<Value>,
    pub(super) tool_calls: Option<Vec<CallDelta>>,
    pub(super) function_call: Option<FunctionDelta>,
}

/// The content, as text or in parts.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum DeltaContent {
    Text(String),
    Parts(Vec<DeltaPart>),
}

/// A part of the content.
#[derive(Deserialize)]
pub(super) struct DeltaPart {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) text: Option<String>,
    pub(super) refusal: Option<String>,
    /// Mistral's form of reasoning.
    pub(super) thinking: Option<DeltaContent>,
}

/// A piece of a tool call.
#[derive(Deserialize)]
pub(super) struct CallDelta {
    pub(super) index: Option<u32>,
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionDelta>,
    #[serde(rename = "type")]
    _kind: Option<IgnoredAny>,
    /// What its model needs back with the call.
    #[serde(flatten)]
    pub(super) extra: Extra,
}

#[derive(Deserialize)]
pub(super) struct FunctionDelta {
    pub(super) name: Option<String>,
    /// Text, or, from some servers, the object that the text should have been.
    pub(super) arguments: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
pub(super) struct LogProbs {
    content: Option<Vec<TokenLogProb>>,
}

#[derive(Deserialize)]
struct TokenLogProb {
    token: String,
    logprob: f64,
    bytes: Option<Vec<u8>>,
    top_logprobs: Option<Vec<AlternativeLogProb>>,
}

#[derive(Deserialize)]
struct AlternativeLogProb {
    token: String,
    logprob: f64,
    bytes: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct Extension {
    usage: Option<ChunkUsage>,
    error: Option<IgnoredAny>,
}

impl Chunk {
    /// Reads a chunk; none for anything but an object, since serde would read a list as the fields in their order.
    pub(super) fn parse(data: &str) -> Option<Self> {
        data.starts_with('{').then(|| serde_json::from_str(data).ok()).flatten()
    }

    /// Whether the chunk as a whole is an error, in any of the forms that servers use.
    pub(super) fn is_error(&self) -> bool {
        self.error.is_some()
            || self.object.as_deref() == Some("error")
            || self.x_groq.as_ref().is_some_and(|extension| extension.error.is_some())
    }

    /// The usage, wherever this provider puts it.
    pub(super) fn take_usage(&mut self) -> Option<Usage> {
        let in_choice = self.choices.iter_mut().flatten().find_map(|choice| choice.usage.take());
        let in_extension = self.x_groq.as_mut().and_then(|extension| extension.usage.take());
        [self.usage.take(), in_choice, in_extension].into_iter().flatten().find_map(ChunkUsage::counts)
    }
}

/// The kind of the error in `data`: that of the object under `error`, or of all of it.
pub(super) fn reported(data: &str) -> Report {
    let Ok(document) = serde_json::from_str::<Value>(data) else { return Report::default() };
    report_of(document.get("error").filter(|error| !error.is_null()).unwrap_or(&document))
}

impl DeltaContent {
    /// All its text, as one.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
        }
    }
}

impl LogProbs {
    /// The probabilities of the text; a response can't hold those of a refusal.
    pub(super) fn of_text(self) -> Vec<LogProb> {
        self.content.into_iter().flatten().map(TokenLogProb::known).collect()
    }
}

impl TokenLogProb {
    fn known(self) -> LogProb {
        let Self { token, logprob, bytes, top_logprobs } = self;
        let alternative = |AlternativeLogProb { token, logprob, bytes }| {
            let bytes = bytes.unwrap_or_default();
            TopLogProb { token, logprob, bytes }
        };
        let top_logprobs = top_logprobs.into_iter().flatten().map(alternative).collect();
        LogProb { token, logprob, bytes: bytes.unwrap_or_default(), top_logprobs }
    }
}
