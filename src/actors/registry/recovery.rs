//! Settling what an earlier epoch of this node left behind.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::settle::{Reason, settle};
use crate::actors::node::Node;

const BATCH: u32 = 64;
const PAUSE: Duration = Duration::from_secs(1);

/// Settles every response of this node that belongs to an earlier epoch and has not ended.
pub(super) async fn recover(node: Arc<Node>, epoch: i64) {
    loop {
        match node.store.unsettled(&node.name, epoch, BATCH).await {
            Ok(rows) if rows.is_empty() => return,
            Ok(rows) => {
                join_all(rows.iter().map(|row| settle(Arc::clone(&node), epoch, row.id, Reason::NodeLost))).await;
            }
            Err(error) => {
                tracing::warn!(error = %error, "the recovery waits for the database");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
