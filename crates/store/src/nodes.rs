//! Nodes: their epochs and leases.

use std::time::Duration;

use async_trait::async_trait;

use super::Error;

/// The nodes that use the database, each with its newest epoch and its lease.
#[async_trait]
pub trait NodeStore: std::fmt::Debug + Send + Sync + 'static {
    /// Takes the next epoch of a node, larger than every epoch that any node ever had, and a lease from now on.
    ///
    /// A lease is measured by the store's own clock alone. While it lasts no other node can
    /// [claim](super::ClaimRecord) the node's responses; a node without one can claim nothing.
    async fn next_epoch(&self, node: &str, lease: Duration) -> Result<i64, Error>;

    /// Makes the node's lease last for `lease` from now on; zero gives it up. False if the node has another
    /// epoch by now: then nothing has changed.
    async fn renew_lease(&self, node: &str, epoch: i64, lease: Duration) -> Result<bool, Error>;

    /// Whether the node has a lease. One that is not known has none.
    async fn has_lease(&self, node: &str) -> Result<bool, Error>;
}
