//! How often things happened.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Counts by name.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    /// Once more.
    pub(crate) fn count(&self, what: &str) {
        self.add(what, 1);
    }

    /// So many times more.
    pub(crate) fn add(&self, what: &str, times: u64) {
        *self.0.lock().entry(what.to_owned()).or_default() += times;
    }

    /// How often it happened.
    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0.lock().get(what).copied().unwrap_or(0)
    }

    /// All that begins so, without that beginning.
    pub(crate) fn group(&self, beginning: &str) -> BTreeMap<String, u64> {
        let counts = self.0.lock();
        counts.iter().filter_map(|(name, count)| Some((name.strip_prefix(beginning)?.to_owned(), *count))).collect()
    }
}
