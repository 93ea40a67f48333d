//! Token counts as the API reports them.

use serde::{Deserialize, Serialize};

/// The tokens of a response, as its providers reported them, summed over its turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// What the prompt's tokens were made of.
    pub input_tokens_details: InputTokensDetails,
    /// Tokens of the output, reasoning included.
    pub output_tokens: u64,
    /// What the output's tokens were made of.
    pub output_tokens_details: OutputTokensDetails,
    /// The provider's own total.
    pub total_tokens: u64,
}

/// What the prompt's tokens were made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputTokensDetails {
    /// Tokens the provider read from its cache.
    pub cached_tokens: u64,
    /// Tokens the provider wrote to its cache.
    pub cache_write_tokens: u64,
}

/// What the output's tokens were made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputTokensDetails {
    /// Tokens spent on reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let (input, output) = (self.input_tokens_details, self.output_tokens_details);
        let (more_input, more_output) = (other.input_tokens_details, other.output_tokens_details);
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            input_tokens_details: InputTokensDetails {
                cached_tokens: input.cached_tokens.saturating_add(more_input.cached_tokens),
                cache_write_tokens: input.cache_write_tokens.saturating_add(more_input.cache_write_tokens),
            },
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            output_tokens_details: OutputTokensDetails {
                reasoning_tokens: output.reasoning_tokens.saturating_add(more_output.reasoning_tokens),
            },
            total_tokens: self.total_tokens.saturating_add(other.total_tokens),
        }
    }
}
