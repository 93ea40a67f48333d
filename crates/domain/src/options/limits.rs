//! `[limits]`: how large a request may be.

use serde::{Deserialize, Serialize};

use super::{OptionChecks, OptionError, size};

/// `[limits]`: how large the parts of a request may be. A value at its limit is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitOptions {
    /// The most bytes of a request's input as JSON. Its instructions may have as many.
    #[serde(with = "size")]
    pub input_bytes: usize,
    /// The most items of a request's input.
    pub input_items: usize,
    /// The most values of a request in all, at every depth; a part of a content is one.
    pub request_values: usize,
    /// The most pairs of a request's metadata.
    pub metadata_pairs: usize,
    /// The most characters of a metadata key.
    pub metadata_key_chars: usize,
    /// The most characters of a metadata value.
    pub metadata_value_chars: usize,
    /// The most bytes of a request's metadata, as JSON.
    #[serde(with = "size")]
    pub metadata_bytes: usize,
    /// The most earlier items that are loaded for a request that continues another response.
    pub history_items: usize,
    /// The most output tokens that a request may ask for.
    pub max_output_tokens: u32,
    /// The most characters of a `safety_identifier`.
    #[serde(skip)]
    pub safety_identifier_chars: usize,
    /// The most characters of a `prompt_cache_key`.
    #[serde(skip)]
    pub prompt_cache_key_chars: usize,
    /// The most characters of any other id, of a call for example: of one that a client brings, and in bytes of one that a
    /// provider gives. They are other people's words: some gateways put kilobytes of state into the id of a call.
    pub id_chars: usize,
    /// The most bytes of one event of a provider; 0 for as many as the largest output takes, and with a protocol that
    /// echoes them the largest request.
    #[serde(with = "size")]
    pub provider_event_bytes: usize,
    /// The most bytes of one call of a provider beside one event, a kilobyte for each other one and what it takes to write
    /// the output.
    #[serde(with = "size")]
    pub provider_call_bytes: usize,
    /// The most values of one event of a provider as JSON, at every depth; 0 for as many as the largest output takes.
    pub provider_event_values: usize,
    /// The most function calls of one answer of a provider.
    pub provider_calls: u32,
    /// The most items of one answer of a provider, or blocks of its content, and the most parts of one item. At least as
    /// many as `responses.max_output_parts`.
    pub provider_items: u32,
    /// The most characters of the name of a function that a provider calls, in bytes.
    pub function_name_chars: usize,
}

impl LimitOptions {
    /// The fewest output tokens that may be asked for.
    pub const MIN_OUTPUT_TOKENS: u32 = 16;

    /// The limits that have effect unless others are set.
    pub const DEFAULT: Self = Self {
        input_bytes: 500_000,
        input_items: 4000,
        request_values: 50_000,
        metadata_pairs: 16,
        metadata_key_chars: 64,
        metadata_value_chars: 512,
        metadata_bytes: 10_000,
        history_items: 1000,
        max_output_tokens: 1_000_000,
        safety_identifier_chars: 64,
        prompt_cache_key_chars: 64,
        id_chars: 8192,
        provider_event_bytes: 0,
        provider_call_bytes: 16 * 1024 * 1024,
        provider_event_values: 0,
        provider_calls: 128,
        provider_items: 4096,
        function_name_chars: 256,
    };

    /// Checks the ranges that a configuration is held to.
    #[must_use]
    pub fn check(&self) -> Vec<OptionError> {
        let mut checks = OptionChecks::default();
        checks.range("input_bytes", self.input_bytes, 1..=64 * 1024 * 1024);
        checks.range("input_items", self.input_items, 1..=100_000);
        checks.range("request_values", self.request_values, 100..=1_000_000);
        checks.range("metadata_pairs", self.metadata_pairs, 0..=1000);
        checks.range("metadata_key_chars", self.metadata_key_chars, 1..=10_000);
        checks.range("metadata_value_chars", self.metadata_value_chars, 1..=100_000);
        checks.range("metadata_bytes", self.metadata_bytes, 2..=1024 * 1024);
        checks.range("history_items", self.history_items, 1..=100_000);
        checks.range("max_output_tokens", self.max_output_tokens, Self::MIN_OUTPUT_TOKENS..=1_000_000_000);
        checks.range("id_chars", self.id_chars, 64..=65_536);
        checks.range("provider_call_bytes", self.provider_call_bytes, 1024 * 1024..=1024 * 1024 * 1024);
        checks.range("provider_calls", self.provider_calls, 1..=4096);
        checks.range("provider_items", self.provider_items, 1..=16_384);
        checks.range("function_name_chars", self.function_name_chars, 64..=8192);
        checks.into_errors()
    }
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}
