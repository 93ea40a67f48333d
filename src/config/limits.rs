//! `[limits]`: how large the parts of a request may be.

use garde::Validate;
use serde::{Deserialize, Serialize};

use super::size;
use crate::domain::Limits;

/// `[limits]`: how large the parts of a request may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSection {
    /// The most bytes of a request's input.
    #[serde(with = "size")]
    #[garde(range(min = 1, max = 64 * 1024 * 1024))]
    pub input_bytes: usize,
    /// The most pairs of a request's metadata.
    #[garde(range(max = 1000))]
    pub metadata_pairs: usize,
    /// The most characters of a metadata key.
    #[garde(range(min = 1, max = 10_000))]
    pub metadata_key_chars: usize,
    /// The most characters of a metadata value.
    #[garde(range(min = 1, max = 100_000))]
    pub metadata_value_chars: usize,
    /// The most bytes of a request's metadata, as JSON.
    #[serde(with = "size")]
    #[garde(range(min = 2, max = 1024 * 1024))]
    pub metadata_bytes: usize,
    /// The most earlier items that are loaded for a request that goes on from another response.
    #[garde(range(min = 1, max = 100_000))]
    pub history_items: usize,
}

impl LimitsSection {
    /// The limits as validation takes them.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            input_bytes: self.input_bytes,
            metadata_pairs: self.metadata_pairs,
            metadata_key_chars: self.metadata_key_chars,
            metadata_value_chars: self.metadata_value_chars,
            metadata_bytes: self.metadata_bytes,
            history_items: self.history_items,
            ..Limits::default()
        }
    }
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            input_bytes: 500_000,
            metadata_pairs: 16,
            metadata_key_chars: 64,
            metadata_value_chars: 512,
            metadata_bytes: 10_000,
            history_items: 1000,
        }
    }
}
