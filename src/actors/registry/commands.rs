//! The commands of the registry.

use std::sync::Arc;

use actix::Message;
use tokio::sync::oneshot;
use tracing::Span;

use crate::actors::{
    client_stream::{ClientSink, ResponseOutcome},
    response_supervisor::AdmissionSlot,
};
use crate::domain::RunPlan;
use crate::protocol::{ResponseId, UserId};
use crate::refusal::Refusal;
use crate::vault::ResponseKey;

/// Starts a response. Answered once it is durable.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Begin {
    pub(crate) plan: RunPlan,
    /// The key of the response; none if it is not stored.
    pub(crate) key: Option<ResponseKey>,
    pub(crate) slot: AdmissionSlot,
    pub(crate) client: ClientSink,
    pub(crate) reply: oneshot::Sender<Result<(), Refusal>>,
}

/// Gives up a response whose start was not answered in time: whatever there is of it is ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Withdraw {
    pub(crate) id: ResponseId,
}

/// Serves another client of a response that runs or has ended. Answered once the client is served.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Join {
    pub(crate) user: UserId,
    pub(crate) id: ResponseId,
    /// Whether the client was connected to the response before.
    pub(crate) returning: bool,
    pub(crate) client: ClientSink,
    /// The span of the request, for the log.
    pub(crate) span: Span,
    pub(crate) reply: oneshot::Sender<Result<(), Refusal>>,
}

/// Cancels a response. Answered once its ending, whichever it is, is durable.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Cancel {
    pub(crate) user: UserId,
    pub(crate) id: ResponseId,
    /// The span of the request, for the log.
    pub(crate) span: Span,
    pub(crate) reply: oneshot::Sender<Result<Arc<ResponseOutcome>, Refusal>>,
}

/// Cancels a response if it runs, and deletes all of it. Answered once it is deleted.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Delete {
    pub(crate) user: UserId,
    pub(crate) id: ResponseId,
    /// The span of the request, for the log.
    pub(crate) span: Span,
    pub(crate) reply: oneshot::Sender<Result<(), Refusal>>,
}

/// Take no new responses. Answered at once with how many run; with `now`, those are ended.
#[derive(Debug, Message)]
#[rtype(result = "usize")]
pub(crate) struct Drain {
    pub(crate) now: bool,
    /// Told once none runs any more.
    pub(crate) reply: oneshot::Sender<()>,
}
