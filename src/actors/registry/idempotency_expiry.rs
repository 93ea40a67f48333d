//! The expiry of old idempotency keys.

use std::{sync::Arc, time::Duration};

use crate::actors::node::Node;
use crate::domain::Timestamp;
use crate::store::Error;

/// The least time that a key is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

const PAUSE: Duration = Duration::from_secs(60);

/// Deletes, at intervals and without end, keys that are old enough and whose response can't be read any more.
pub(super) async fn expire(node: Arc<Node>) {
    loop {
        match sweep(&node).await {
            Ok(0) => tokio::time::sleep(PAUSE).await,
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => {
                tracing::warn!(error = %error, "old idempotency keys are kept for now");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Deletes one batch of keys and returns how many.
async fn sweep(node: &Node) -> Result<u64, Error> {
    let now = node.clock.now().as_micros();
    let kept = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
    node.store.idempotency_keys.forget_idempotency_keys(Timestamp::from_micros(now.saturating_sub(kept))).await
}
