//! What others ask of a running response.

use std::sync::Arc;

use actix::{Context, Handler, Message};
use tokio::sync::oneshot;

use super::{ResponseSupervisor, supervisor::Stage};
use crate::actors::client_stream::{ClientSink, ResponseOutcome};
use crate::domain::Fact;
use crate::fault::{self, FaultPoint};
use crate::protocol::{Status, UserId};

/// Why a response could not be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CancelRefusal {
    /// There is no such response for this user.
    #[error("there is no such response")]
    NotFound,
    /// It has ended in another way.
    #[error("the response has ended")]
    AlreadyEnded(Status),
    /// The server stops, and another one goes on with the response.
    #[error("the server is about to stop")]
    Restarting,
    /// It will be cancelled, but the database is away and can't confirm it.
    #[error("the database is not available")]
    Unavailable,
    /// The server could not do it.
    #[error("the response could not be cancelled")]
    Failed,
}

/// Why a response could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadRefusal {
    /// There is no such response for this user, or it is not stored.
    #[error("there is no such response")]
    NotFound,
    /// The database is away.
    #[error("the database is not available")]
    Unavailable,
    /// The server stops, and another one goes on with the response.
    #[error("the server is about to stop")]
    Restarting,
    /// The server could not do it.
    #[error("the response could not be read")]
    Failed,
}

pub(super) type CancelReply = oneshot::Sender<Result<Arc<ResponseOutcome>, CancelRefusal>>;

/// Asks to cancel. Answered once the ending is durable, whichever it is.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CancelRun {
    pub(crate) user: UserId,
    /// The response is to be deleted after that, which only a stored one can be.
    pub(crate) stored_only: bool,
    pub(crate) reply: CancelReply,
}

/// The node stops: the response must be left to the next process, or end, now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StopRun;

/// The node is about to stop: a response whose work has not begun is left to the next process.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LeaveQueue;

/// Another client wants to read.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct JoinRun {
    pub(crate) user: UserId,
    /// The client was there before: it may come back to a response that is not stored, too.
    pub(crate) returning: bool,
    pub(crate) client: ClientSink,
    pub(crate) reply: oneshot::Sender<Result<(), ReadRefusal>>,
}

impl ResponseSupervisor {
    /// Answers who asked to cancel, by how the response ended.
    pub(super) fn answer_cancels(&mut self, outcome: &Arc<ResponseOutcome>) {
        for reply in self.cancels.drain(..) {
            let _left = reply.send(cancel_answer(outcome));
        }
    }

    pub(super) fn refuse_cancels(&mut self) {
        for reply in self.cancels.drain(..) {
            let _left = reply.send(Err(CancelRefusal::Unavailable));
        }
    }
}

fn cancel_answer(outcome: &Arc<ResponseOutcome>) -> Result<Arc<ResponseOutcome>, CancelRefusal> {
    match outcome.status {
        Status::Cancelled => Ok(Arc::clone(outcome)),
        status @ (Status::Queued | Status::InProgress | Status::Completed | Status::Failed | Status::Incomplete) => {
            Err(CancelRefusal::AlreadyEnded(status))
        }
    }
}

impl Handler<CancelRun> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, CancelRun { user, stored_only, reply }: CancelRun, ctx: &mut Context<Self>) {
        // Whoever asked may have hung up; the answer is then for nobody, the effect is the same.
        if user != self.plan.user || (stored_only && !self.is_stored()) {
            let _left = reply.send(Err(CancelRefusal::NotFound));
            return;
        }
        if let Stage::Over(outcome) = &self.stage {
            let _left = reply.send(cancel_answer(outcome));
            return;
        }
        if self.frame_buffer.borrow().unavailable {
            let _left = reply.send(Err(CancelRefusal::Unavailable));
            return;
        }
        self.cancels.push(reply);
        fault::reach(FaultPoint::CancelHeard);
        if self.is_undecided() {
            let at = self.node.clock.now();
            self.finish([Fact::CancelRequested { at }], ctx);
        }
    }
}

impl Handler<StopRun> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, _: StopRun, ctx: &mut Context<Self>) {
        if !self.hand_over(ctx) {
            self.interrupt(ctx);
        }
    }
}

impl Handler<LeaveQueue> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, _: LeaveQueue, ctx: &mut Context<Self>) {
        if self.waits_in_line() {
            // One that can't be left goes on, and ends at the latest when the node does.
            let _left = self.hand_over(ctx);
        }
    }
}

impl Handler<JoinRun> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, join: JoinRun, ctx: &mut Context<Self>) {
        let JoinRun { user, returning, client, reply } = join;
        let visible = user == self.plan.user && (self.is_stored() || returning);
        let accepted = !matches!(self.stage, Stage::Admitting(_));
        let answer = if visible && (accepted || returning) { Ok(()) } else { Err(ReadRefusal::NotFound) };
        if answer.is_ok() {
            self.client(client, ctx);
        }
        let _left = reply.send(answer);
    }
}
