//! Settling what an earlier epoch of this node left behind.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};

use super::settle::{Reason, settle};
use crate::actors::node::Node;
use crate::store::Error;

/// How many responses one sweep looks at, and how many it settles side by side.
const BATCH: u32 = 1_000;
const CONCURRENT: usize = 16;

/// How long a sweep waits for one response, so that one that can't be settled holds up no other.
const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_secs(30);
const PAUSE_WHEN_AWAY: Duration = Duration::from_secs(1);

/// Settles, now and again for ever, every response of this node that belongs to an earlier epoch and has not
/// ended: the last entries of the former owner may become durable after the first look.
pub(super) async fn recover(node: Arc<Node>, epoch: i64) {
    loop {
        match sweep(&node, epoch).await {
            Ok(()) => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                tracing::warn!(error = %error, "the recovery waits for the database");
                tokio::time::sleep(PAUSE_WHEN_AWAY).await;
            }
        }
    }
}

async fn sweep(node: &Arc<Node>, epoch: i64) -> Result<(), Error> {
    let rows = node.store.unsettled(&node.name, epoch, BATCH).await?;
    let settle_one = async |id| {
        let settled = settle(Arc::clone(node), epoch, id, Reason::NodeLost);
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            tracing::error!(response.id = %id, "a response could not be settled yet");
        }
    };
    stream::iter(rows).for_each_concurrent(CONCURRENT, |row| settle_one(row.id)).await;
    Ok(())
}
