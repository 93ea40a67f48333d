//! Nodes in memory.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;

use super::MemoryStore;
use crate::{Error, NodeStore};
use antiphon_domain::Timestamp;

/// The nodes by name.
#[derive(Default)]
pub(super) struct NodeTable(HashMap<String, NodeRow>);

/// A node's newest epoch, and until when its lease lasts.
struct NodeRow {
    epoch: i64,
    lease_until: Timestamp,
}

impl NodeTable {
    /// Whether the node has a lease. One that is not known has none.
    pub(super) fn has_lease(&self, node: &str, now: Timestamp) -> bool {
        self.0.get(node).is_some_and(|row| row.lease_until > now)
    }

    /// Whether any node has a lease.
    pub(super) fn any_has_lease(&self, now: Timestamp) -> bool {
        self.0.values().any(|row| row.lease_until > now)
    }

    /// Whether the node has a lease under that epoch.
    pub(super) fn has_lease_as(&self, node: &str, epoch: i64, now: Timestamp) -> bool {
        self.0.get(node).is_some_and(|row| row.epoch == epoch) && self.has_lease(node, now)
    }
}

#[async_trait]
impl NodeStore for MemoryStore {
    async fn next_epoch(&self, node: &str, lease: Duration) -> Result<i64, Error> {
        let nodes = &mut self.tables().nodes.0;
        let epoch = nodes.values().map(|row| row.epoch).max().unwrap_or(0) + 1;
        nodes.insert(node.to_owned(), NodeRow { epoch, lease_until: lease_end(self.now(), lease) });
        Ok(epoch)
    }

    async fn renew_lease(&self, node: &str, epoch: i64, lease: Duration) -> Result<bool, Error> {
        let lease_until = lease_end(self.now(), lease);
        let nodes = &mut self.tables().nodes.0;
        let own = nodes.get_mut(node).filter(|row| row.epoch == epoch);
        Ok(own.map(|row| row.lease_until = lease_until).is_some())
    }

    async fn has_lease(&self, node: &str) -> Result<bool, Error> {
        let now = self.now();
        Ok(self.tables().nodes.has_lease(node, now))
    }
}

fn lease_end(now: Timestamp, lease: Duration) -> Timestamp {
    let micros = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(micros))
}
