//! Cancelling and deleting.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Handler, WrapFuture};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::{
    CancelResponse, DeleteResponse, ResponseRegistry,
    lookup::{ending, find},
    settle::{Reason, settle_now},
};
use crate::actors::{
    journal_writer::Written,
    node::Node,
    reader::Outcome,
    response_supervisor::{CancelRefusal, CancelRun, ReadRefusal},
};
use crate::protocol::{ResponseId, Status, UserId};
use crate::store::Entry;

impl Handler<CancelResponse> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, cancel: CancelResponse, ctx: &mut Self::Context) {
        let CancelResponse { user, id, span, reply } = cancel;
        if let Some(child) = self.running.get(&id) {
            return child.addr().do_send(CancelRun { user, stored_only: false, reply });
        }
        let answer = cancel_ended(Arc::clone(&self.node), self.epoch, user, id).instrument(span);
        ctx.spawn(answer.into_actor(self).map(|answer, _, _| {
            let _left = reply.send(answer);
        }));
    }
}

async fn cancel_ended(
    node: Arc<Node>,
    epoch: i64,
    user: UserId,
    id: ResponseId,
) -> Result<Arc<Outcome>, CancelRefusal> {
    let refuse = |refusal| match refusal {
        ReadRefusal::NotFound => CancelRefusal::NotFound,
        ReadRefusal::Unavailable => CancelRefusal::Unavailable,
        ReadRefusal::Failed => CancelRefusal::Failed,
    };
    let found = find(&node, user, id).await.map_err(refuse)?;
    if !found.row.status.is_terminal() {
        settle_now(&node, epoch, &found.row, Reason::Cancelled).await.map_err(refuse)?;
    }
    let outcome = ending(&node, user, id).await.map_err(refuse)?;
    if outcome.status == Status::Cancelled { Ok(outcome) } else { Err(CancelRefusal::AlreadyEnded(outcome.status)) }
}

impl Handler<DeleteResponse> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, delete_response: DeleteResponse, ctx: &mut Self::Context) {
        let DeleteResponse { user, id, span, reply } = delete_response;
        let (tell, cancelled) = oneshot::channel();
        if let Some(child) = self.running.get(&id) {
            child.addr().do_send(CancelRun { user, stored_only: true, reply: tell });
        }
        let answer = delete(Arc::clone(&self.node), self.epoch, user, id, cancelled).instrument(span);
        ctx.spawn(answer.into_actor(self).map(|answer, _, _| {
            let _left = reply.send(answer);
        }));
    }
}

async fn delete(
    node: Arc<Node>,
    epoch: i64,
    user: UserId,
    id: ResponseId,
    cancelled: oneshot::Receiver<Result<Arc<Outcome>, CancelRefusal>>,
) -> Result<(), ReadRefusal> {
    // Not running here, or its supervisor just failed: then the row says more.
    if let Ok(Err(CancelRefusal::Unavailable)) = cancelled.await {
        return Err(ReadRefusal::Unavailable);
    }
    let found = find(&node, user, id).await?;
    if !found.row.status.is_terminal() {
        settle_now(&node, epoch, &found.row, Reason::Cancelled).await?;
    }
    match node.journal.write(Entry::Delete(id)).await {
        Written::Committed => Ok(()),
        Written::Conflict(_) | Written::Failed => Err(ReadRefusal::Failed),
    }
}
