//! What an event of a Messages stream holds, as far as it is used. Unknown fields are ignored.

use serde::Deserialize;
use serde_json::Value;

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
        usage: Option<TokenCounts>,
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
    pub(super) usage: Option<TokenCounts>,
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
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct TokenCounts {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    output_tokens_details: Option<OutputCounts>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct OutputCounts {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

impl TokenCounts {
    /// Returns these counts, with the earlier ones where one is missing.
    pub(super) fn after(self, earlier: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.or(earlier.input_tokens),
            cache_creation_input_tokens: self.cache_creation_input_tokens.or(earlier.cache_creation_input_tokens),
            cache_read_input_tokens: self.cache_read_input_tokens.or(earlier.cache_read_input_tokens),
            output_tokens: self.output_tokens.or(earlier.output_tokens),
            output_tokens_details: self.output_tokens_details.or(earlier.output_tokens_details),
        }
    }

    /// None if the input was not counted. The protocol's own count of it does not include what was read from the cache
    /// or written to it.
    pub(super) fn input_usage(self) -> Option<InputUsage> {
        self.input_tokens.map(|_| self.input())
    }

    fn input(self) -> InputUsage {
        let cached_tokens = self.cache_read_input_tokens.unwrap_or_default();
        let cache_write_tokens = self.cache_creation_input_tokens.unwrap_or_default();
        let input = self.input_tokens.unwrap_or_default();
        InputUsage {
            input_tokens: input.saturating_add(cached_tokens).saturating_add(cache_write_tokens),
            input_tokens_details: InputTokensDetails { cached_tokens, cache_write_tokens },
        }
    }

    /// None if the output was not counted.
    pub(super) fn usage(self) -> Option<Usage> {
        let output_tokens = self.output_tokens?;
        let InputUsage { input_tokens, input_tokens_details } = self.input();
        let reasoning_tokens = self.output_tokens_details.unwrap_or_default().thinking_tokens.unwrap_or_default();
        Some(Usage {
            input_tokens,
            input_tokens_details,
            output_tokens,
            output_tokens_details: OutputTokensDetails { reasoning_tokens },
            total_tokens: input_tokens.saturating_add(output_tokens),
        })
    }
}
