//! The counts of a chunk, under all the names that servers have for them.

use serde::Deserialize;

use antiphon_protocol::{InputTokensDetails, OutputTokensDetails, Usage};

/// Counts as they were reported.
#[derive(Deserialize)]
pub(super) struct ChunkUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name for what was read from the cache.
    prompt_cache_hit_tokens: Option<u64>,
    /// Moonshot's name for it.
    cached_tokens: Option<u64>,
    /// Anthropic's names, which gateways pass on.
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    /// SGLang has it outside of the details.
    reasoning_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl ChunkUsage {
    /// None where nothing is counted: an empty object reports nothing, and neither do the zeros that some servers
    /// send until they know.
    pub(super) fn counts(self) -> Option<Usage> {
        let input_tokens = self.prompt_tokens.unwrap_or_default();
        let output_tokens = self.completion_tokens.unwrap_or_default();
        if input_tokens == 0 && output_tokens == 0 {
            return None;
        }
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        let cached = [prompt.cached_tokens, self.prompt_cache_hit_tokens, self.cached_tokens];
        let written = [prompt.cache_write_tokens, self.cache_creation_input_tokens];
        let sum = input_tokens.saturating_add(output_tokens);
        Some(Usage {
            input_tokens,
            input_tokens_details: InputTokensDetails {
                cached_tokens: first_count(cached.into_iter().chain([self.cache_read_input_tokens])),
                cache_write_tokens: first_count(written),
            },
            output_tokens,
            output_tokens_details: OutputTokensDetails {
                reasoning_tokens: first_count([completion.reasoning_tokens, self.reasoning_tokens]),
            },
            total_tokens: self.total_tokens.filter(|total| *total > 0).unwrap_or(sum),
        })
    }
}

/// The first count that is not zero among its names. Servers that write several write the same, or zero.
fn first_count(counts: impl IntoIterator<Item = Option<u64>>) -> u64 {
    counts.into_iter().flatten().find(|count| *count > 0).unwrap_or_default()
}
