//! Cancelling and deleting.

use std::{future::Future, sync::Arc};

use actix::{ActorFutureExt, AsyncContext, Handler, WrapFuture};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::{
    Cancel, Delete, ResponseRegistry,
    lookup::{AtRest, find_at_rest, load_outcome},
};
use crate::actors::{
    client_stream::ResponseOutcome, journal_writer::Written, node::Node, response_supervisor::CancelRun,
};
use crate::domain::SettleReason;
use crate::fault::{self, FaultPoint};
use crate::protocol::{ResponseId, Status, UserId};
use crate::refusal::Refusal;

impl Handler<Cancel> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, cancel: Cancel, ctx: &mut Self::Context) {
        let Cancel { user, id, span, reply } = cancel;
        if let Some(child) = self.running.get(&id) {
            return child.addr().do_send(CancelRun { user, stored_only: false, reply });
        }
        let at_rest = find_at_rest(Arc::clone(&self.node), ctx.address(), user, id, SettleReason::Cancelled);
        let node = Arc::clone(&self.node);
        let answer = async move {
            match at_rest.await? {
                AtRest::Ended(_) => cancel_ended(&node, user, id).await.map(Some),
                AtRest::Running => Ok(None),
            }
        };
        ctx.spawn(answer.instrument(span.clone()).into_actor(self).map(move |answer, registry, ctx| {
            match answer.transpose() {
                Some(answer) => {
                    let _left = reply.send(answer);
                }
                None => registry.handle(Cancel { user, id, span, reply }, ctx),
            }
        }));
    }
}

async fn cancel_ended(node: &Node, user: UserId, id: ResponseId) -> Result<Arc<ResponseOutcome>, Refusal> {
    let outcome = load_outcome(node, user, id).await?;
    if outcome.status == Status::Cancelled { Ok(outcome) } else { Err(Refusal::AlreadyEnded(outcome.status)) }
}

impl Handler<Delete> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, delete_response: Delete, ctx: &mut Self::Context) {
        let Delete { user, id, span, reply } = delete_response;
        let (tell, cancelled) = oneshot::channel();
        if let Some(child) = self.running.get(&id) {
            child.addr().do_send(CancelRun { user, stored_only: true, reply: tell });
        }
        let at_rest = find_at_rest(Arc::clone(&self.node), ctx.address(), user, id, SettleReason::Cancelled);
        let answer = delete(Arc::clone(&self.node), id, at_rest, cancelled).instrument(span.clone());
        ctx.spawn(answer.into_actor(self).map(move |answer, registry, ctx| match answer.transpose() {
            Some(answer) => {
                let _left = reply.send(answer);
            }
            None => registry.handle(Delete { user, id, span, reply }, ctx),
        }));
    }
}

/// Deletes a response that has ended. None if it runs here by now.
async fn delete(
    node: Arc<Node>,
    id: ResponseId,
    at_rest: impl Future<Output = Result<AtRest, Refusal>>,
    cancelled: oneshot::Receiver<Result<Arc<ResponseOutcome>, Refusal>>,
) -> Result<Option<()>, Refusal> {
    // Any other answer means that it does not run here or that its supervisor failed or hangs: then the row decides.
    match tokio::time::timeout(node.settings.longest_ending(), cancelled).await {
        Ok(Ok(Err(refusal))) if refusal.is_retryable() => return Err(refusal),
        Ok(Ok(Ok(_) | Err(_)) | Err(_)) | Err(_) => {}
    }
    match at_rest.await? {
        AtRest::Running => Ok(None),
        AtRest::Ended(_) => {
            fault::reach(FaultPoint::DeletionBegun);
            delete_ended(&node, id).await.map(Some)
        }
    }
}

async fn delete_ended(node: &Node, id: ResponseId) -> Result<(), Refusal> {
    let written = tokio::time::timeout(node.settings.admission_wait(), node.journal.delete(id)).await;
    node.outcomes.lock().remove(id);
    match written {
        Ok(Some(Written::Committed)) => {
            fault::reach(FaultPoint::DeletionCommitted);
            Ok(())
        }
        Ok(Some(Written::Conflict(_) | Written::Failed)) => Err(Refusal::Internal),
        // Too many others wait for the database; or it waits itself, and is committed with what else does.
        Ok(None) | Err(_) => Err(Refusal::DatabaseUnavailable),
    }
}
