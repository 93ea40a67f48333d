//! Usage records in memory.

use std::collections::BTreeMap;

use crate::UsageRecord;
use antiphon_protocol::ResponseId;

/// One record for each response and turn.
#[derive(Default)]
pub(super) struct UsageTable(BTreeMap<(ResponseId, u16), UsageRecord>);

impl UsageTable {
    pub(super) fn all(&self) -> Vec<UsageRecord> {
        self.0.values().cloned().collect()
    }

    /// Adds a record unless its turn has one.
    pub(super) fn add(&mut self, record: &UsageRecord) {
        self.0.entry((record.response, record.turn)).or_insert_with(|| record.clone());
    }
}
