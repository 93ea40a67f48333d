//! Cancelling and deleting.

use std::{future::Future, sync::Arc};

use actix::{ActorFutureExt, AsyncContext, Handler, WrapFuture};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::{
    Cancel, Delete, ResponseRegistry,
    lookup::{AtRest, ending, find_at_rest},
    settle::Reason,
};
use crate::actors::{
    client_stream::ResponseOutcome,
    journal_writer::Written,
    node::Node,
    response_supervisor::{CancelRefusal, CancelRun, ReadRefusal},
};
use crate::fault::{self, FaultPoint};
use crate::protocol::{ResponseId, Status, UserId};
use crate::store::Entry;

impl Handler<Cancel> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, cancel: Cancel, ctx: &mut Self::Context) {
        let Cancel { user, id, span, reply } = cancel;
        if let Some(child) = self.running.get(&id) {
            return child.addr().do_send(CancelRun { user, stored_only: false, reply });
        }
        let at_rest = find_at_rest(Arc::clone(&self.node), ctx.address(), user, id, Reason::Cancelled);
        let node = Arc::clone(&self.node);
        let answer = async move {
            match at_rest.await.map_err(refuse)? {
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

fn refuse(refusal: ReadRefusal) -> CancelRefusal {
    match refusal {
        ReadRefusal::NotFound => CancelRefusal::NotFound,
        ReadRefusal::Unavailable => CancelRefusal::Unavailable,
        ReadRefusal::Restarting => CancelRefusal::Restarting,
        ReadRefusal::Failed => CancelRefusal::Failed,
    }
}

async fn cancel_ended(node: &Node, user: UserId, id: ResponseId) -> Result<Arc<ResponseOutcome>, CancelRefusal> {
    let outcome = ending(node, user, id).await.map_err(refuse)?;
    if outcome.status == Status::Cancelled { Ok(outcome) } else { Err(CancelRefusal::AlreadyEnded(outcome.status)) }
}

impl Handler<Delete> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, delete_response: Delete, ctx: &mut Self::Context) {
        let Delete { user, id, span, reply } = delete_response;
        let (tell, cancelled) = oneshot::channel();
        if let Some(child) = self.running.get(&id) {
            child.addr().do_send(CancelRun { user, stored_only: true, reply: tell });
        }
        let at_rest = find_at_rest(Arc::clone(&self.node), ctx.address(), user, id, Reason::Cancelled);
        let answer = delete(Arc::clone(&self.node), id, at_rest, cancelled).instrument(span.clone());
        ctx.spawn(answer.into_actor(self).map(move |answer, registry, ctx| match answer.transpose() {
            Some(answer) => {
                let _left = reply.send(answer);
            }
            None => registry.handle(Delete { user, id, span, reply }, ctx),
        }));
    }
}

/// None if the response runs here by now.
async fn delete(
    node: Arc<Node>,
    id: ResponseId,
    at_rest: impl Future<Output = Result<AtRest, ReadRefusal>>,
    cancelled: oneshot::Receiver<Result<Arc<ResponseOutcome>, CancelRefusal>>,
) -> Result<Option<()>, ReadRefusal> {
    // Not running here, or its supervisor just failed: then the row says more.
    match cancelled.await {
        Ok(Err(CancelRefusal::Unavailable)) => return Err(ReadRefusal::Unavailable),
        Ok(Err(CancelRefusal::Restarting)) => return Err(ReadRefusal::Restarting),
        Ok(Ok(_) | Err(CancelRefusal::NotFound | CancelRefusal::AlreadyEnded(_) | CancelRefusal::Failed)) | Err(_) => {}
    }
    match at_rest.await? {
        AtRest::Running => Ok(None),
        AtRest::Ended(_) => {
            fault::reach(FaultPoint::DeletionBegun);
            delete_ended(&node, id).await.map(Some)
        }
    }
}

async fn delete_ended(node: &Node, id: ResponseId) -> Result<(), ReadRefusal> {
    let written = node.journal.write(Entry::Delete(id)).await;
    fault::reach(FaultPoint::DeletionCommitted);
    match written {
        Written::Committed => Ok(()),
        Written::Conflict(_) | Written::Failed => Err(ReadRefusal::Failed),
    }
}
