//! A client's subscription, which outlives the actors that serve it.

use std::{
    fmt,
    future::poll_fn,
    task::{Context, Poll, ready},
};

use futures_util::future::BoxFuture;

use super::{ClientStream, DeliveryMode, Emission};
use crate::domain::View;
use crate::protocol::ResponseId;
use crate::refusal::Refusal;

/// How many client streams in a row may be lost without a single event.
const MOST_FRUITLESS: u32 = 5;

/// Opens another client stream of the same response.
type Resume = Box<dyn Fn(DeliveryMode) -> BoxFuture<'static, Result<ClientStream, Refusal>> + Send + Sync>;

/// One client's subscription to a response: each event once, in order, none left out. A client stream that is lost is
/// replaced by one that continues after the last event.
pub struct Subscription {
    id: ResponseId,
    view: View,
    /// The number of the next event.
    next: u64,
    source: Source,
    fruitless: u32,
    resume: Resume,
}

enum Source {
    Reading(ClientStream),
    Resuming(BoxFuture<'static, Result<ClientStream, Refusal>>),
    Over,
}

impl Subscription {
    /// A subscription that reads this client stream, whose next event is number `from`, and after it those that
    /// `resume` opens.
    pub fn new<F>(
        stream: ClientStream,
        (view, from): (View, u64),
        resume: impl Fn(DeliveryMode) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<ClientStream, Refusal>> + Send + 'static,
    {
        Self {
            id: stream.id,
            view,
            next: from,
            source: Source::Reading(stream),
            fruitless: 0,
            resume: Box::new(move |mode| Box::pin(resume(mode))),
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

    /// The next emission; none after an end or an error. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`Refusal`]: no other client stream can be opened now. The response can be read later, from
    /// [`next_sequence_number`](Self::next_sequence_number) on.
    pub async fn recv(&mut self) -> Option<Result<Emission, Refusal>> {
        poll_fn(|task| self.poll_recv(task)).await
    }

    /// The next emission, if it is there already.
    pub fn try_recv(&mut self) -> Option<Emission> {
        let Source::Reading(stream) = &mut self.source else { return None };
        // A lost client stream is replaced by the next call that may wait.
        let emission = stream.emissions.try_recv().ok()?;
        Some(self.note(emission))
    }

    /// [`recv`](Self::recv), for streams.
    pub fn poll_recv(&mut self, task: &mut Context<'_>) -> Poll<Option<Result<Emission, Refusal>>> {
        loop {
            match &mut self.source {
                Source::Over => return Poll::Ready(None),
                Source::Reading(stream) => match ready!(stream.emissions.poll_recv(task)) {
                    Some(emission) => return Poll::Ready(Some(Ok(self.note(emission)))),
                    None if self.fruitless == MOST_FRUITLESS => return Poll::Ready(Some(Err(self.give_up()))),
                    None => self.replace_reader(),
                },
                Source::Resuming(resumed) => match ready!(resumed.as_mut().poll(task)) {
                    Ok(stream) => self.source = Source::Reading(stream),
                    Err(refusal) => {
                        self.source = Source::Over;
                        return Poll::Ready(Some(Err(refusal)));
                    }
                },
            }
        }
    }

    fn note(&mut self, emission: Emission) -> Emission {
        self.fruitless = 0;
        match &emission {
            Emission::Frame { sequence_number, .. } => self.next = sequence_number.saturating_add(1),
            Emission::End => self.source = Source::Over,
            Emission::Unavailable { last_sequence_number } => {
                self.next = last_sequence_number.saturating_add(1);
                self.source = Source::Over;
            }
        }
        emission
    }

    fn replace_reader(&mut self) {
        self.fruitless += 1;
        let mode = DeliveryMode::Events { view: self.view, from: self.next };
        let resumed = (self.resume)(mode);
        let lost = std::mem::replace(&mut self.source, Source::Over);
        self.source = Source::Resuming(Box::pin(async move {
            let resumed = resumed.await;
            // Dropped only now that the next one is open: without any stream the client would count as gone.
            drop(lost);
            resumed
        }));
    }

    fn give_up(&mut self) -> Refusal {
        tracing::error!(response.id = %self.id, "the readers of a response keep failing");
        self.source = Source::Over;
        Refusal::Internal
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).field("next", &self.next).finish_non_exhaustive()
    }
}
