//! The reads of one provider's stream: each as it comes, or, of a stream that says much, larger ones in turns with others.

use futures_util::{FutureExt as _, StreamExt as _, stream::LocalBoxStream};
use tokio::time::Instant;

use super::turn::{BatchTurn, RecentReads};
use crate::domain::ProviderEvent;
use crate::provider::Error;

/// The credit that an event costs beside its text: about what it needs in memory until it is durable.
const EVENT_COST: usize = 64;

pub(super) type Batches = LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>>;

/// What is read at a time of a stream that says much, if so much is there.
const LARGE_READ: usize = 32 * 1024;

/// The stream, and how much it has said lately.
pub(super) struct ProviderReads {
    batches: Batches,
    recent: RecentReads,
    /// How the stream ended, if that was seen behind the last read.
    behind: Option<Result<(), Error>>,
}

/// The events of one read.
pub(super) struct Read {
    pub(super) events: Vec<ProviderEvent>,
    /// The credit that they cost.
    pub(super) cost: usize,
    /// What is held while they are worked on, if the stream says much.
    pub(super) turn: Option<BatchTurn>,
}

/// How the stream ended, and what is held while that is worked on.
pub(super) struct End {
    pub(super) result: Result<(), Error>,
    pub(super) turn: Option<BatchTurn>,
}

impl Read {
    fn new(events: Vec<ProviderEvent>) -> Self {
        let mut read = Self { events: Vec::new(), cost: 0, turn: None };
        read.extend(events);
        read
    }

    fn extend(&mut self, events: Vec<ProviderEvent>) {
        self.cost += events.iter().map(|event| EVENT_COST + event.output_bytes()).sum::<usize>();
        self.events.extend(events);
    }

    fn is_last(&self) -> bool {
        self.events.iter().any(|event| matches!(event, ProviderEvent::Finished { .. }))
    }
}

impl ProviderReads {
    pub(super) fn new(batches: Batches) -> Self {
        Self { batches, recent: RecentReads::new(Instant::now()), behind: None }
    }

    /// The next read, or how the stream ended.
    pub(super) async fn next(&mut self) -> Result<Read, End> {
        let first = match self.behind.take() {
            Some(end) => Err(end),
            None => said(self.batches.next().await),
        };
        let mut read = match first {
            Ok(events) => Read::new(events),
            Err(result) => return Err(End { result, turn: self.turn_for_all().await }),
        };
        if !self.recent.add(read.cost, Instant::now()) {
            if read.is_last() {
                read.turn = self.turn_for_all().await;
            }
            return Ok(read);
        }
        let known = read.cost;
        read.turn = Some(BatchTurn::wait(known.max(LARGE_READ)).await);
        self.read_on(&mut read).await;
        self.recent.add(read.cost - known, Instant::now());
        if read.is_last() {
            // The one that it has may be a part of what it waits for.
            read.turn = None;
            read.turn = self.turn_for_all().await;
        }
        Ok(read)
    }

    /// The turn for the end of a long stream, when all of it is told once more: its text, its items, the response.
    async fn turn_for_all(&self) -> Option<BatchTurn> {
        let total = self.recent.total();
        if total < LARGE_READ { None } else { Some(BatchTurn::wait(total).await) }
    }

    /// Adds what has come while it waited.
    async fn read_on(&mut self, read: &mut Read) {
        while read.cost < LARGE_READ && !read.is_last() {
            // The connection passes on a piece when it is asked for.
            tokio::task::yield_now().await;
            let Some(more) = self.batches.next().now_or_never() else { return };
            match said(more) {
                Ok(events) => read.extend(events),
                Err(end) => return self.behind = Some(end),
            }
        }
    }
}

/// What the stream says, or how it ended.
fn said(read: Option<Result<Vec<ProviderEvent>, Error>>) -> Result<Vec<ProviderEvent>, Result<(), Error>> {
    match read {
        Some(Ok(events)) => Ok(events),
        Some(Err(error)) => Err(Err(error)),
        None => Err(Ok(())),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests;
