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
pub(super) struct Reads {
    batches: Batches,
    recent: RecentReads,
    /// What came behind the last read, and was not passed on with it: an error, or the end.
    behind: Option<Option<Error>>,
}

/// The events of one read.
pub(super) struct Read {
    pub(super) events: Vec<ProviderEvent>,
    /// The credit that they cost.
    pub(super) cost: usize,
    /// What is held while they are worked on, if the stream says much.
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

impl Reads {
    pub(super) fn new(batches: Batches) -> Self {
        Self { batches, recent: RecentReads::new(Instant::now()), behind: None }
    }

    /// The next read; none at the end.
    pub(super) async fn next(&mut self) -> Option<Result<Read, Error>> {
        let first = match self.behind.take() {
            Some(behind) => behind.map(Err),
            None => self.batches.next().await,
        };
        let mut read = match first? {
            Ok(events) => Read::new(events),
            Err(error) => return Some(Err(error)),
        };
        if !self.recent.add(read.cost, read.is_last(), Instant::now()) {
            return Some(Ok(read));
        }
        let known = read.cost;
        read.turn = Some(BatchTurn::wait(known.max(LARGE_READ)).await);
        self.read_on(&mut read).await;
        self.recent.add(read.cost - known, false, Instant::now());
        if read.is_last() {
            // Everything is told once more: its items, its text, the response.
            read.turn = None;
            read.turn = Some(BatchTurn::wait(self.recent.total()).await);
        }
        Some(Ok(read))
    }

    /// Adds what has come while it waited.
    async fn read_on(&mut self, read: &mut Read) {
        while read.cost < LARGE_READ && !read.is_last() {
            // The connection passes on a piece when it is asked for.
            tokio::task::yield_now().await;
            match self.batches.next().now_or_never() {
                Some(Some(Ok(events))) => read.extend(events),
                Some(Some(Err(error))) => return self.behind = Some(Some(error)),
                Some(None) => return self.behind = Some(None),
                None => return,
            }
        }
    }
}
