//! What an event of a Messages stream holds, as far as it is used. Unknown fields are ignored.

use serde::Deserialize;
use serde_json::Value;

use crate::token_count::TokenCount;
use antiphon_domain::InputUsage;
use antiphon_protocol::{Extra, InputTokensDetails, OutputTokensDetails, Usage};

/// One `data:` of the stream.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum AnthropicEvent {
    MessageStart {
        message: MessageStart,
    },
    ContentBlockStart {
        index: u32,
        content_block: Extra,
    },
    ContentBlockDelta {
        index: u32,
        delta: BlockDelta,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: MessageChange,
        #[serde(default)]
        usage: Option<Value>,
    },
    MessageStop,
    Ping,
    Error {
        #[serde(default)]
        error: Value,
    },
    /// Any other event: the protocol reserves the right to add some.
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
pub(super) struct MessageStart {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) usage: Option<Value>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the protocol's own names")]
pub(super) enum BlockDelta {
    TextDelta {
        text: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    CitationsDelta {
        citation: Extra,
    },
    #[serde(other)]
    UnknownDelta,
}

#[derive(Deserialize)]
pub(super) struct MessageChange {
    #[serde(default)]
    pub(super) stop_reason: Option<String>,
}

/// Counts of tokens. Each is cumulative; one that is missing has not changed.
#[derive(Clone, Copy, Default)]
pub(super) struct TokenCounts {
    input: TokenCount,
    cache_write: TokenCount,
    cache_read: TokenCount,
    output: TokenCount,
    thinking: TokenCount,
}

impl TokenCounts {
    pub(super) fn of(report: &Value) -> Self {
        let count = |key: &str| TokenCount::at(report, key);
        let details = report.get("output_tokens_details");
        Self {
            input: count("input_tokens"),
            cache_write: count("cache_creation_input_tokens"),
            cache_read: count("cache_read_input_tokens"),
            output: count("output_tokens"),
            thinking: details.map(|details| TokenCount::at(details, "thinking_tokens")).unwrap_or_default(),
        }
    }

    /// Returns these counts, with the earlier ones where one is missing.
    pub(super) fn after(self, earlier: Self) -> Self {
        Self {
            input: self.input.or(earlier.input),
            cache_write: self.cache_write.or(earlier.cache_write),
            cache_read: self.cache_read.or(earlier.cache_read),
            output: self.output.or(earlier.output),
            thinking: self.thinking.or(earlier.thinking),
        }
    }

    /// None if the input was not counted.
    pub(super) fn input_usage(self) -> Option<InputUsage> {
        self.input.known()?;
        let Usage { input_tokens, input_tokens_details, .. } = self.prompt();
        InputUsage { input_tokens, input_tokens_details }.reconciled()
    }

    /// None if the output was not counted, or if a count can't be true.
    pub(super) fn usage(self) -> Option<Usage> {
        let output_tokens = self.output.known()?;
        let reasoning_tokens = self.thinking.or_zero();
        let output_tokens_details = OutputTokensDetails { reasoning_tokens };
        Usage { output_tokens, output_tokens_details, ..self.prompt() }.reconciled()
    }

    /// The protocol's own count of the input does not include what was read from the cache or written to it.
    fn prompt(self) -> Usage {
        let (cached_tokens, cache_write_tokens) = (self.cache_read.or_zero(), self.cache_write.or_zero());
        Usage {
            input_tokens: self.input.or_zero().saturating_add(cached_tokens).saturating_add(cache_write_tokens),
            input_tokens_details: InputTokensDetails { cached_tokens, cache_write_tokens },
            ..Usage::default()
        }
    }
}
