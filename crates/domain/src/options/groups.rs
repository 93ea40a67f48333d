//! How much is committed at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{OptionChecks, OptionError, duration, size};

/// How much of what a node's responses write is committed in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupOptions {
    /// The most entries of one transaction.
    pub group_entries: usize,
    /// The most bytes of content of one transaction. The entry that waits longest may have more: then small entries alone
    /// go with it.
    #[serde(with = "size")]
    pub group_bytes: usize,
    /// How long a transaction may take before the next ones have fewer entries.
    #[serde(with = "duration")]
    pub group_time: Duration,
}

impl GroupOptions {
    /// Checks the ranges that a configuration is held to.
    #[must_use]
    pub fn check(&self) -> Vec<OptionError> {
        let mut checks = OptionChecks::default();
        checks.range("group_entries", self.group_entries, 1..=10_000);
        checks.range("group_bytes", self.group_bytes, 64 * 1024..=256 * 1024 * 1024);
        checks.into_errors()
    }
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self { group_entries: 1024, group_bytes: 1024 * 1024, group_time: Duration::from_secs(1) }
    }
}
