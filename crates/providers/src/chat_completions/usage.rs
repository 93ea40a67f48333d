//! The counts of a chunk, under all the names that servers have for them.

use serde::Deserialize;
use serde_json::Value;

use crate::token_count::TokenCount;
use antiphon_protocol::{InputTokensDetails, OutputTokensDetails, Usage};

/// Counts as they were reported, in whatever form.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct ChunkUsage(Value);

impl ChunkUsage {
    /// None where nothing is counted: an empty object reports nothing, and neither do the zeros that some servers
    /// send until they know. None either where a count can't be true.
    pub(super) fn counts(self) -> Option<Usage> {
        let Self(report) = self;
        let input_tokens = TokenCount::at(&report, "prompt_tokens").or_zero();
        let output_tokens = TokenCount::at(&report, "completion_tokens").or_zero();
        if input_tokens == 0 && output_tokens == 0 {
            return None;
        }
        let detail = |details: &str, key: &str| report.get(details).map(|details| TokenCount::at(details, key));
        let named = |key: &str| Some(TokenCount::at(&report, key));
        let usage = Usage {
            input_tokens,
            input_tokens_details: InputTokensDetails {
                cached_tokens: first_count([
                    detail("prompt_tokens_details", "cached_tokens"),
                    // DeepSeek's name, Moonshot's, and Anthropic's, which gateways pass on.
                    named("prompt_cache_hit_tokens"),
                    named("cached_tokens"),
                    named("cache_read_input_tokens"),
                ]),
                cache_write_tokens: first_count([
                    detail("prompt_tokens_details", "cache_write_tokens"),
                    named("cache_creation_input_tokens"),
                ]),
            },
            output_tokens,
            output_tokens_details: OutputTokensDetails {
                // SGLang has it outside of the details.
                reasoning_tokens: first_count([
                    detail("completion_tokens_details", "reasoning_tokens"),
                    named("reasoning_tokens"),
                ]),
            },
            total_tokens: TokenCount::at(&report, "total_tokens").or_zero(),
        };
        usage.reconciled()
    }
}

/// The first count that is not zero among its names. Servers that write several write the same, or zero.
fn first_count(counts: impl IntoIterator<Item = Option<TokenCount>>) -> u64 {
    counts.into_iter().flatten().map(TokenCount::as_part).find(|count| *count > 0).unwrap_or_default()
}
