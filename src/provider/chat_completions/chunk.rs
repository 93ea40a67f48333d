//! What a chunk of a Chat Completions stream holds, as far as it is used. Unknown fields are ignored.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::protocol::{InputTokensDetails, OutputTokensDetails, Usage};
use crate::provider::Report;
use crate::provider::http::report_of;

/// One `data:` of the stream. Many servers write null where others leave the key out.
#[derive(Deserialize)]
pub(super) struct Chunk {
    /// Present and not null: the provider reports an error, in whatever shape.
    pub(super) error: Option<Value>,
    /// `"error"` in the older shape of an error.
    #[serde(default)]
    pub(super) object: Option<String>,
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub(super) usage: Option<ChunkUsage>,
    #[serde(default)]
    x_groq: Option<Extension>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) index: u32,
    #[serde(default)]
    pub(super) delta: Option<Delta>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
    #[serde(default)]
    pub(super) usage: Option<ChunkUsage>,
}

#[derive(Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub(super) content: Option<String>,
    #[serde(default)]
    pub(super) refusal: Option<String>,
    #[serde(default)]
    reasoning_content: Option<String>,
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    pub(super) tool_calls: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    pub(super) function_call: Option<IgnoredAny>,
}

impl Delta {
    /// The thought, under either of its names; servers that write both write the same twice.
    pub(super) fn thought(&mut self) -> Option<String> {
        let first = self.reasoning_content.take().filter(|text| !text.is_empty());
        first.or_else(|| self.reasoning.take().filter(|text| !text.is_empty()))
    }

    /// Whether the delta holds a piece of a tool call.
    pub(super) fn calls_a_tool(&self) -> bool {
        self.function_call.is_some() || self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
    }
}

#[derive(Deserialize)]
struct Extension {
    #[serde(default)]
    usage: Option<ChunkUsage>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct ChunkUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    total_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Default, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    cache_write_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl Chunk {
    /// Whether the chunk is an error, in any of the shapes that are about.
    pub(super) fn is_error(&self) -> bool {
        self.error.is_some()
            || self.object.as_deref() == Some("error")
            || self.x_groq.as_ref().is_some_and(|extension| extension.error.is_some())
    }

    /// What the error is about.
    pub(super) fn report(&self) -> Report {
        self.error.as_ref().map(report_of).unwrap_or_default()
    }

    /// The usage, wherever this provider puts it.
    pub(super) fn take_usage(&mut self) -> Option<Usage> {
        let in_choice = self.choices.iter_mut().flatten().find_map(|choice| choice.usage.take());
        let in_extension = self.x_groq.as_mut().and_then(|extension| extension.usage.take());
        self.usage.take().or(in_choice).or(in_extension).and_then(ChunkUsage::counts)
    }
}

impl ChunkUsage {
    /// None where neither count is given: an empty object reports nothing.
    fn counts(self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        let input_tokens = self.prompt_tokens.unwrap_or_default();
        let output_tokens = self.completion_tokens.unwrap_or_default();
        Some(Usage {
            input_tokens,
            input_tokens_details: InputTokensDetails {
                cached_tokens: prompt.cached_tokens.unwrap_or_default(),
                cache_write_tokens: prompt.cache_write_tokens.unwrap_or_default(),
            },
            output_tokens,
            output_tokens_details: OutputTokensDetails {
                reasoning_tokens: completion.reasoning_tokens.unwrap_or_default(),
            },
            total_tokens: self.total_tokens.unwrap_or_else(|| input_tokens.saturating_add(output_tokens)),
        })
    }
}
