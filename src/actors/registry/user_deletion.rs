//! The end of what users who are being deleted still run.

use std::{sync::Arc, time::Duration};

use actix::Addr;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tracing::Span;

use super::{Cancel, ResponseRegistry};
use crate::actors::node::Node;
use crate::protocol::{ResponseId, UserId};
use crate::refusal::Refusal;

/// How often they are looked for.
const PAUSE: Duration = Duration::from_secs(1);

/// How many are ended at the same time.
const BATCH: u32 = 100;

/// Cancels, at intervals and without end, the responses of this node whose user is being deleted: each has its one
/// ending and its usage before the user's data goes.
pub(super) async fn end_responses_of_deleted_users(node: Arc<Node>, registry: Addr<ResponseRegistry>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        match node.store.responses.live_of_deleted_users(&node.name, BATCH).await {
            Ok(live) => drop(join_all(live.into_iter().map(|(user, id)| cancel(&node, &registry, user, id))).await),
            Err(error) => tracing::warn!(error = %error, "users who are being deleted wait for the database"),
        }
    }
}

async fn cancel(node: &Node, registry: &Addr<ResponseRegistry>, user: UserId, id: ResponseId) {
    let (reply, cancelled) = oneshot::channel();
    registry.do_send(Cancel { user, id, span: Span::none(), reply });
    match tokio::time::timeout(node.settings.longest_answer(), cancelled).await {
        Ok(Ok(Ok(_) | Err(Refusal::AlreadyEnded(_) | Refusal::NotFound))) => {
            tracing::info!(response.id = %id, "a response of a user who is being deleted was ended");
        }
        // It is looked for again.
        Ok(Ok(Err(refusal))) => {
            tracing::warn!(response.id = %id, refusal = %refusal, "a response of a deleted user could not be ended");
        }
        Ok(Err(_)) | Err(_) => {
            tracing::warn!(response.id = %id, "a response of a deleted user does not end");
        }
    }
}
