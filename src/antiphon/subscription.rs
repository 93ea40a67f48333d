//! A client's way through a response, which outlives what serves it.

use std::{
    fmt,
    future::poll_fn,
    task::{Context, Poll, ready},
};

use bytes::Buf as _;
use futures_util::future::BoxFuture;

use super::{Antiphon, WeakAntiphon};
use crate::actors::{ClientStream, DeliveryMode, Emission};
use crate::domain::View;
use crate::protocol::{ResponseId, UserId};
use crate::refusal::Refusal;

/// How often in a row a stream may be lost without a single event.
const MOST_FRUITLESS: u32 = 5;

/// One client's way through a response's events: each event once, in order, none left out. A [`ClientStream`] that is
/// lost is replaced by one that begins after the last event.
pub struct Subscription {
    node: NodeHandle,
    user: UserId,
    id: ResponseId,
    view: View,
    /// The number of the next event.
    next: u64,
    /// The bytes of that event that came in parts.
    taken: usize,
    /// Those of them that another stream gives once more.
    again: usize,
    state: StreamState,
    fruitless: u32,
}

/// Where another stream comes from.
#[derive(Clone)]
enum NodeHandle {
    Strong(Antiphon),
    Weak(WeakAntiphon),
}

enum StreamState {
    Reading(ClientStream),
    Resuming(BoxFuture<'static, Result<ClientStream, Refusal>>),
    Over,
}

impl Antiphon {
    /// Reads on where a stream of that user's begins. Like any handle it keeps the node alive.
    #[must_use]
    pub fn subscription(&self, user: UserId, stream: ClientStream) -> Subscription {
        Subscription::new(NodeHandle::Strong(self.clone()), user, stream)
    }
}

impl WeakAntiphon {
    /// [`Antiphon::subscription`] that keeps nothing alive.
    #[must_use]
    pub fn subscription(&self, user: UserId, stream: ClientStream) -> Subscription {
        Subscription::new(NodeHandle::Weak(self.clone()), user, stream)
    }
}

impl NodeHandle {
    async fn resume(self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        let antiphon = match self {
            Self::Strong(antiphon) => antiphon,
            Self::Weak(antiphon) => antiphon.upgrade().ok_or(Refusal::Draining)?,
        };
        antiphon.resume(user, id, mode).await
    }
}

impl Subscription {
    fn new(node: NodeHandle, user: UserId, stream: ClientStream) -> Self {
        let (view, next) = match stream.mode {
            DeliveryMode::Events { view, from } => (view, from),
            DeliveryMode::Ending => (View::default(), 0),
        };
        Self {
            node,
            user,
            id: stream.id,
            view,
            next,
            taken: 0,
            again: 0,
            state: StreamState::Reading(stream),
            fruitless: 0,
        }
    }

    /// The response.
    #[must_use]
    pub fn id(&self) -> ResponseId {
        self.id
    }

    /// The number of the event that comes next.
    #[must_use]
    pub fn next_sequence_number(&self) -> u64 {
        self.next
    }

    /// Whether the event of that number has come in part. What was taken of it is not given again.
    #[must_use]
    pub fn is_within_event(&self) -> bool {
        self.taken > 0
    }

    /// What comes next; none after an end, or after an error. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`Refusal`]: no other stream can be had now. The response can be read later, from
    /// [`next_sequence_number`](Self::next_sequence_number) on.
    pub async fn recv(&mut self) -> Option<Result<Emission, Refusal>> {
        poll_fn(|task| self.poll_recv(task)).await
    }

    /// What is there already.
    pub fn try_recv(&mut self) -> Option<Emission> {
        loop {
            let StreamState::Reading(stream) = &mut self.state else { return None };
            // A lost stream is replaced by the next call that may wait.
            let emission = stream.emissions.try_recv().ok()?;
            if let Some(emission) = self.note(emission) {
                return Some(emission);
            }
        }
    }

    /// [`recv`](Self::recv), for streams.
    pub fn poll_recv(&mut self, task: &mut Context<'_>) -> Poll<Option<Result<Emission, Refusal>>> {
        loop {
            match &mut self.state {
                StreamState::Over => return Poll::Ready(None),
                StreamState::Reading(stream) => match ready!(stream.emissions.poll_recv(task)) {
                    Some(emission) => match self.note(emission) {
                        Some(emission) => return Poll::Ready(Some(Ok(emission))),
                        None => continue,
                    },
                    None if self.fruitless == MOST_FRUITLESS => return Poll::Ready(Some(Err(self.give_up()))),
                    None => self.replace_stream(),
                },
                StreamState::Resuming(resumed) => match ready!(resumed.as_mut().poll(task)) {
                    Ok(stream) => self.state = StreamState::Reading(stream),
                    Err(refusal) => {
                        self.state = StreamState::Over;
                        return Poll::Ready(Some(Err(refusal)));
                    }
                },
            }
        }
    }

    /// What is new of it, if anything.
    fn note(&mut self, mut emission: Emission) -> Option<Emission> {
        if let Emission::Part { bytes } | Emission::Frame { bytes, .. } = &mut emission {
            let again = self.again.min(bytes.len());
            bytes.advance(again);
            self.again -= again;
        }
        match &emission {
            Emission::Part { bytes } if bytes.is_empty() => return None,
            Emission::Part { bytes } => self.taken += bytes.len(),
            Emission::Frame { sequence_number, .. } => {
                self.next = sequence_number.saturating_add(1);
                (self.taken, self.again) = (0, 0);
            }
            Emission::End => self.state = StreamState::Over,
            Emission::Unavailable { last_sequence_number } => {
                self.next = last_sequence_number.saturating_add(1);
                self.state = StreamState::Over;
            }
        }
        self.fruitless = 0;
        Some(emission)
    }

    fn replace_stream(&mut self) {
        self.fruitless += 1;
        self.again = self.taken;
        let mode = DeliveryMode::Events { view: self.view, from: self.next };
        let resumed = self.node.clone().resume(self.user, self.id, mode);
        let lost = std::mem::replace(&mut self.state, StreamState::Over);
        self.state = StreamState::Resuming(Box::pin(async move {
            let resumed = resumed.await;
            // Not before the next one is there: without any stream the client would count as gone.
            drop(lost);
            resumed
        }));
    }

    fn give_up(&mut self) -> Refusal {
        tracing::error!(response.id = %self.id, "the streams of a response keep failing");
        self.state = StreamState::Over;
        Refusal::Internal
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).field("next", &self.next).finish_non_exhaustive()
    }
}
