//! A client's end of a response.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use super::{client_emitter::Emission, success_promise::SharedSuccessPromise};
use crate::domain::{Cause, View};
use crate::protocol::{Response, ResponseId, Status};

/// The state of a response, as far as the HTTP status of its clients depends on it.
#[derive(Debug, Clone)]
pub enum ResponsePhase {
    /// Accepted; no provider has answered yet.
    Opening,
    /// A provider streams.
    Opened,
    /// The response ended, and the ending is durable.
    Ended(Arc<ResponseOutcome>),
    /// The database is unavailable for longer than the response waits. The ending can be read once it is available
    /// again.
    Unavailable,
}

/// How a response ended.
#[derive(Debug, Clone)]
pub struct ResponseOutcome {
    /// The terminal status.
    pub status: Status,
    /// Why it failed.
    pub cause: Option<Cause>,
    /// The response.
    pub response: Arc<Response>,
    /// The status that the provider answered with, if that was the failure.
    pub provider_status: Option<u16>,
    /// The status by which the provider says that the request is at fault, if it does.
    pub rejection_status: Option<u16>,
    /// How long the provider asked to wait.
    pub retry_after: Option<Duration>,
}

impl ResponseOutcome {
    /// Whether the response has output.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.response.output.is_empty()
    }
}

/// A client's end of a response. Dropping it tells the response that the client is gone.
#[derive(Debug)]
pub struct ClientStream {
    /// The response.
    pub id: ResponseId,
    /// What the client is given of it.
    pub mode: DeliveryMode,
    /// The state of the response. Closed without an ending if the actor that served the client failed: subscribe
    /// again.
    pub phase: watch::Receiver<ResponsePhase>,
    /// The events of the response, unless only the ending was asked for. Closed without [`Emission::End`] if the
    /// emitter failed or disconnected the client: subscribe again after the last event.
    pub emissions: mpsc::Receiver<Emission>,
    pub(crate) success_promise: SharedSuccessPromise,
}

impl ClientStream {
    /// Promises success to the client while the response still runs; to be called before a success status is sent. A
    /// response that fails without output releases its idempotency key for another run, and then all its clients must
    /// get the failure. False if the response has failed in that way: [`phase`](Self::phase) then soon has the
    /// failure.
    #[must_use]
    pub fn begin_success(&self) -> bool {
        self.success_promise.succeed()
    }

    /// Whether any client of the running response was promised success.
    #[must_use]
    pub fn has_begun_success(&self) -> bool {
        self.success_promise.has_succeeded()
    }
}

/// What a client is given of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryMode {
    /// The events after a point, as this view shows them.
    Events {
        /// The view.
        view: View,
        /// The number of the first event wanted.
        from: u64,
    },
    /// Only the ending.
    Ending,
}

/// The other end of a [`ClientStream`], held by the actor that serves the client.
#[derive(Debug)]
pub(crate) struct ClientSink {
    pub(crate) phase: Arc<watch::Sender<ResponsePhase>>,
    pub(crate) sink: mpsc::Sender<Emission>,
    pub(crate) mode: DeliveryMode,
    pub(crate) success_promise: SharedSuccessPromise,
}

/// Both ends of a new client stream.
pub(crate) fn client_channel(id: ResponseId, mode: DeliveryMode, buffer: usize) -> (ClientSink, ClientStream) {
    let (phase, phases) = watch::channel(ResponsePhase::Opening);
    let (sink, emissions) = mpsc::channel(buffer);
    let success_promise = SharedSuccessPromise::default();
    let client = ClientSink { phase: Arc::new(phase), sink, mode, success_promise: success_promise.clone() };
    (client, ClientStream { id, mode, phase: phases, emissions, success_promise })
}
