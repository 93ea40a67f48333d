//! What the registry is asked.

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

/// Start a response. Answered once it is durable.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Begin {
    pub(crate) plan: RunPlan,
    /// None if the response is not stored.
    pub(crate) key: Option<ResponseKey>,
    pub(crate) slot: AdmissionSlot,
    pub(crate) client: ClientSink,
    pub(crate) reply: oneshot::Sender<Result<(), Refusal>>,
}

/// Serve another client of a response, running or long ended. Answered once it has its client.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Join {
    pub(crate) user: UserId,
    pub(crate) id: ResponseId,
    /// The client was there before.
    pub(crate) returning: bool,
    pub(crate) client: ClientSink,
    /// The request that asks, for the lines that are logged.
    pub(crate) span: Span,
    pub(crate) reply: oneshot::Sender<Result<(), Refusal>>,
}

/// Cancel a response. Answered once its ending is durable, whichever it is.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Cancel {
    pub(crate) user: UserId,
    pub(crate) id: ResponseId,
    /// The request that asks, for the lines that are logged.
    pub(crate) span: Span,
    pub(crate) reply: oneshot::Sender<Result<Arc<ResponseOutcome>, Refusal>>,
}

/// Cancel a response if it runs, and delete all of it. Answered once nothing is left.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Delete {
    pub(crate) user: UserId,
    pub(crate) id: ResponseId,
    /// The request that asks, for the lines that are logged.
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
