//! Token counts as the API reports them.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// The most tokens of a prompt or of an output that a call of a provider can have: what counts more is no count.
const MOST_TOKENS: u64 = i32::MAX as u64;

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
    /// Both together. In a provider's report zero is a total that was not told.
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
    /// The report of one call with counts that add up: what input and output were made of are parts of them, and the
    /// total is their sum. A report that adds up stays as it is. Where counts contradict each other,
    ///
    /// - some providers do not count what came from the cache, or went to it, as input, and some do not count reasoning
    ///   as output: it is added where the total says so, and where there is more of it than there was input or output;
    /// - if the total says that nothing is to be added, the parts are cut to what they are parts of;
    /// - a total that fits nothing is not believed.
    ///
    /// None if a count is larger than any call's can be.
    #[must_use]
    pub fn reconciled(self) -> Option<Self> {
        let (cache, reasoning) = (self.input_tokens_details, self.output_tokens_details.reasoning_tokens);
        let cached = cache.cached_tokens.saturating_add(cache.cache_write_tokens);
        let inputs = [self.input_tokens, self.input_tokens.saturating_add(cached)];
        let outputs = [self.output_tokens, self.output_tokens.saturating_add(reasoning)];
        let excess = |(input, output)| cached.saturating_sub(input).saturating_add(reasoning.saturating_sub(output));
        let pairs = inputs.into_iter().flat_map(|input| outputs.map(|output| (input, output)));
        let (input_tokens, output_tokens) = pairs
            .clone()
            .filter(|(input, output)| input.saturating_add(*output) == self.total_tokens)
            .min_by_key(|pair| excess(*pair))
            // The first pair without an excess adds no more than it has to; the last one never has any.
            .or_else(|| pairs.clone().find(|pair| excess(*pair) == 0))?;
        if input_tokens > MOST_TOKENS || output_tokens > MOST_TOKENS {
            return None;
        }
        let cached_tokens = cache.cached_tokens.min(input_tokens);
        let cache_write_tokens = cache.cache_write_tokens.min(input_tokens - cached_tokens);
        Some(Self {
            input_tokens,
            input_tokens_details: InputTokensDetails { cached_tokens, cache_write_tokens },
            output_tokens,
            output_tokens_details: OutputTokensDetails { reasoning_tokens: reasoning.min(output_tokens) },
            total_tokens: input_tokens + output_tokens,
        })
    }

    /// The tokens of the output that are no reasoning.
    #[must_use]
    pub const fn visible_tokens(&self) -> u64 {
        self.output_tokens.saturating_sub(self.output_tokens_details.reasoning_tokens)
    }

    /// The usage of two calls. The sum of reports that add up adds up.
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
