//! A whole store, by its nouns.

use std::sync::Arc;

use super::{AccountStore, GroupCommit, IdempotencyKeyStore, NodeStore, ResponseStore};

/// The store of everything, by noun.
///
/// A value that implements all the traits is a store as it is: `Store::from(Arc::new(MemoryStore::new()))`. To change
/// one part, replace its field: `Store { group_commit: mine, ..Store::from(database) }`. The parts must share their
/// data: what is committed by one is read by the others.
#[derive(Debug, Clone)]
pub struct Store {
    /// Writes responses.
    pub group_commit: Arc<dyn GroupCommit>,
    /// Reads responses, their logs and their items.
    pub responses: Arc<dyn ResponseStore>,
    /// The nodes, their epochs and leases.
    pub nodes: Arc<dyn NodeStore>,
    /// The idempotency keys of users.
    pub idempotency_keys: Arc<dyn IdempotencyKeyStore>,
    /// Users, their API keys and their data keys.
    pub accounts: Arc<dyn AccountStore>,
}

impl<S> From<Arc<S>> for Store
where
    S: GroupCommit + ResponseStore + NodeStore + IdempotencyKeyStore + AccountStore,
{
    fn from(store: Arc<S>) -> Self {
        Self {
            group_commit: Arc::clone(&store) as _,
            responses: Arc::clone(&store) as _,
            nodes: Arc::clone(&store) as _,
            idempotency_keys: Arc::clone(&store) as _,
            accounts: store,
        }
    }
}
