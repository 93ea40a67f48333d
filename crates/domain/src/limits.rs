//! How large a request may be.

/// How large the parts of a request may be. A value at its limit is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Pairs of the metadata.
    pub metadata_pairs: usize,
    /// Characters of a metadata key.
    pub metadata_key_chars: usize,
    /// Characters of a metadata value.
    pub metadata_value_chars: usize,
    /// Bytes of the metadata as JSON.
    pub metadata_bytes: usize,
    /// Bytes of the input as JSON; and bytes of the instructions as JSON.
    pub input_bytes: usize,
    /// The most output tokens that may be asked for.
    pub max_output_tokens: u32,
    /// Characters of a `safety_identifier`.
    pub safety_identifier_chars: usize,
    /// Characters of the other ids that a client may bring: of items, calls, users and cache keys.
    pub id_chars: usize,
    /// Items of the history that are loaded for a request.
    pub history_items: usize,
}

impl Limits {
    /// The fewest output tokens that may be asked for.
    pub const MIN_OUTPUT_TOKENS: u32 = 16;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            metadata_pairs: 16,
            metadata_key_chars: 64,
            metadata_value_chars: 512,
            metadata_bytes: 10 * 1024,
            input_bytes: 500 * 1024,
            max_output_tokens: 100_000,
            safety_identifier_chars: 64,
            id_chars: 512,
            history_items: 1_000,
        }
    }
}
