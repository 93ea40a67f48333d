//! A client's end of a response.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use super::{client_emitter::Emission, success_promise::SharedSuccessPromise};
use crate::domain::{Cause, View};
use crate::protocol::{Response, ResponseId, Status};

/// How far a response is, as far as its clients' status line depends on it.
#[derive(Debug, Clone)]
pub enum ResponsePhase {
    /// Accepted; no provider has answered yet.
    Opening,
    /// A provider streams.
    Opened,
    /// It ended, and the ending is durable.
    Ended(Arc<ResponseOutcome>),
    /// The database is away for longer than the response waits. The true ending can be read once it is back.
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
    /// The wait that the provider asked for.
    pub retry_after: Option<Duration>,
}

impl ResponseOutcome {
    /// Whether anything came out.
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
    /// How far it is. Closed without an ending if what served the reader failed: subscribe again.
    pub phase: watch::Receiver<ResponsePhase>,
    /// Its events, unless only the ending was asked for. Closed without [`Emission::End`] if the emitter
    /// failed or cut the client: subscribe again after the last event.
    pub emissions: mpsc::Receiver<Emission>,
    pub(crate) success_promise: SharedSuccessPromise,
}

impl ClientStream {
    /// To be asked before the client is told that its request is a success while the response has not ended: a response
    /// that fails without output gives its idempotency key back for another run, and all its clients are to be told of
    /// that failure. False if it has failed so: then [`phase`](Self::phase) soon says how.
    #[must_use]
    pub fn begin_success(&self) -> bool {
        self.success_promise.succeed()
    }

    /// Whether any client of the running response was told of a success.
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
        /// How.
        view: View,
        /// The number of the first event wanted.
        from: u64,
    },
    /// Only how it ends.
    Ending,
}

/// The other end of a [`ClientStream`], held by what serves it.
#[derive(Debug)]
pub(crate) struct ClientSink {
    pub(crate) phase: Arc<watch::Sender<ResponsePhase>>,
    pub(crate) sink: mpsc::Sender<Emission>,
    pub(crate) mode: DeliveryMode,
    pub(crate) success_promise: SharedSuccessPromise,
}

/// Both ends of a new reader.
pub(crate) fn client_channel(id: ResponseId, mode: DeliveryMode, buffer: usize) -> (ClientSink, ClientStream) {
    let (phase, phases) = watch::channel(ResponsePhase::Opening);
    let (sink, emissions) = mpsc::channel(buffer);
    let success_promise = SharedSuccessPromise::default();
    let client = ClientSink { phase: Arc::new(phase), sink, mode, success_promise: success_promise.clone() };
    (client, ClientStream { id, mode, phase: phases, emissions, success_promise })
}
