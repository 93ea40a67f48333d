//! The store itself: its tables behind one lock.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use super::{
    accounts::AccountTables, idempotency_keys::IdempotencyKeyTable, nodes::NodeTable, responses::ResponseTable,
    usage_records::UsageTable,
};
use crate::UsageRecord;
use antiphon_clock::{Clock, SystemClock};
use antiphon_domain::Timestamp;
use antiphon_protocol::ResponseId;

/// A store that behaves like the databases, but loses everything when the process ends.
pub struct MemoryStore {
    tables: Mutex<MemoryTables>,
    clock: Arc<dyn Clock>,
}

/// All tables. They change together under one lock, as in one transaction.
#[derive(Default)]
pub(super) struct MemoryTables {
    pub(super) responses: ResponseTable,
    pub(super) nodes: NodeTable,
    pub(super) idempotency_keys: IdempotencyKeyTable,
    pub(super) usage_records: UsageTable,
    pub(super) accounts: AccountTables,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store whose leases are measured by that clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { tables: Mutex::default(), clock }
    }

    /// The usage records, by response and turn.
    #[must_use]
    pub fn usage(&self) -> Vec<UsageRecord> {
        self.tables().usage_records.all()
    }

    /// The encrypted text of a response's answer.
    #[must_use]
    pub fn content(&self, id: ResponseId) -> Option<Bytes> {
        self.tables().responses.get(id)?.content.clone()
    }

    pub(super) fn tables(&self) -> MutexGuard<'_, MemoryTables> {
        self.tables.lock()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").field("responses", &self.tables().responses.len()).finish_non_exhaustive()
    }
}
