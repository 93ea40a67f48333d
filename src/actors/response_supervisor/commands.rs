//! The commands of a running response.

use std::sync::Arc;

use actix::{Context, Handler, Message};
use tokio::sync::oneshot;

use super::ResponseSupervisor;
use crate::actors::client_stream::{ClientSink, ResponseOutcome};
use crate::domain::{RunCommand, RunEvent};
use crate::fault::{self, FaultPoint};
use crate::protocol::{Status, UserId};
use crate::refusal::Refusal;

pub(super) type CancelReply = oneshot::Sender<Result<Arc<ResponseOutcome>, Refusal>>;

/// Cancels the response. Answered once its ending, whichever it is, is durable.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CancelRun {
    pub(crate) user: UserId,
    /// Whether a response that is not stored is refused, because it is to be deleted afterwards.
    pub(crate) stored_only: bool,
    pub(crate) reply: CancelReply,
}

/// Stops the response with the node: it is left to the next process, or ends, now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StopRun;

/// Announces that the node will stop: a response whose work has not begun is left to the next process.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LeaveQueue;

/// Adds another client.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct JoinRun {
    pub(crate) user: UserId,
    /// Whether the client was connected before: it may come back even to a response that is not stored.
    pub(crate) returning: bool,
    pub(crate) client: ClientSink,
    pub(crate) reply: oneshot::Sender<Result<(), Refusal>>,
}

impl ResponseSupervisor {
    /// Answers all cancel commands by how the response ended.
    pub(super) fn answer_cancels(&mut self) {
        let Some(outcome) = &self.outcome else { return };
        for reply in self.cancels.drain(..) {
            let _left = reply.send(cancel_answer(outcome));
        }
    }

    pub(super) fn refuse_cancels(&mut self) {
        for reply in self.cancels.drain(..) {
            let _left = reply.send(Err(Refusal::DatabaseUnavailable));
        }
    }
}

fn cancel_answer(outcome: &Arc<ResponseOutcome>) -> Result<Arc<ResponseOutcome>, Refusal> {
    match outcome.status {
        Status::Cancelled => Ok(Arc::clone(outcome)),
        status @ (Status::Queued | Status::InProgress | Status::Completed | Status::Failed | Status::Incomplete) => {
            Err(Refusal::AlreadyEnded(status))
        }
    }
}

impl Handler<CancelRun> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, CancelRun { user, stored_only, reply }: CancelRun, ctx: &mut Context<Self>) {
        // The caller may have left; then nobody gets the answer, and the effect is the same.
        if user != self.plan.user || (stored_only && !self.plan.request.store) {
            let _left = reply.send(Err(Refusal::NotFound));
            return;
        }
        self.cancels.push(reply);
        fault::reach(FaultPoint::CancelHeard);
        self.feed(RunEvent::Command(RunCommand::Cancel), ctx);
    }
}

impl Handler<StopRun> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, _: StopRun, ctx: &mut Context<Self>) {
        self.feed(RunEvent::Command(RunCommand::Stop), ctx);
    }
}

impl Handler<LeaveQueue> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, _: LeaveQueue, ctx: &mut Context<Self>) {
        self.feed(RunEvent::Command(RunCommand::LeaveQueue), ctx);
    }
}

impl Handler<JoinRun> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, join: JoinRun, ctx: &mut Context<Self>) {
        let JoinRun { user, returning, client, reply } = join;
        let visible = user == self.plan.user && self.run.admits_client(returning);
        if visible {
            self.join_client(client, ctx);
        }
        let _left = reply.send(if visible { Ok(()) } else { Err(Refusal::NotFound) });
    }
}
