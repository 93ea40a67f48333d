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
mod tests {
    use std::pin::pin;

    use futures_util::{FutureExt as _, StreamExt as _, stream};

    use super::{End, LARGE_READ, Read, ProviderReads};
    use crate::domain::{FinishReason, ProviderEvent};
    use crate::provider::Error;

    fn words(bytes: usize) -> Vec<ProviderEvent> {
        vec![ProviderEvent::Text { text: "x".repeat(bytes), logprobs: Vec::new() }]
    }

    fn reads(said: Vec<Result<Vec<ProviderEvent>, Error>>) -> ProviderReads {
        ProviderReads::new(stream::iter(said).boxed_local())
    }

    /// The bytes of words in the next read, and whether it has a turn.
    async fn next(reads: &mut ProviderReads) -> Result<(usize, bool), Result<(), Error>> {
        let Read { events, turn, .. } = reads.next().await.map_err(|End { result, .. }| result)?;
        Ok((events.iter().map(ProviderEvent::output_bytes).sum(), turn.is_some()))
    }

    #[tokio::test]
    async fn a_few_words_are_passed_on_as_they_come() {
        let mut reads = reads(vec![Ok(words(5)), Ok(words(6))]);
        assert_eq!(next(&mut reads).await, Ok((5, false)));
        assert_eq!(next(&mut reads).await, Ok((6, false)));
        assert_eq!(next(&mut reads).await, Err(Ok(())));
    }

    #[tokio::test]
    async fn of_a_stream_that_says_much_more_is_read_at_a_time_and_nothing_is_lost() {
        const PIECE: usize = 4_000;
        let pieces = 42;
        let lost = Error::Protocol { what: "the connection was lost" };
        let mut reads = reads((0..pieces).map(|_| Ok(words(PIECE))).chain([Err(lost.clone())]).collect());
        let (mut sizes, mut all) = (Vec::new(), 0);
        let end = loop {
            match next(&mut reads).await {
                Ok((bytes, _)) => {
                    all += bytes;
                    sizes.push(bytes);
                }
                Err(end) => break end,
            }
        };
        assert_eq!((all, end), (pieces * PIECE, Err(lost)));
        assert!(sizes.iter().all(|size| *size < LARGE_READ + PIECE), "{sizes:?}");
        assert!(sizes.iter().filter(|size| **size > LARGE_READ - PIECE).count() >= 3, "{sizes:?}");
    }

    #[tokio::test]
    async fn the_end_of_a_long_stream_has_the_turns_of_all_of_it() {
        let finished = vec![ProviderEvent::Finished(FinishReason::Stop)];
        let mut long = reads(vec![Ok(words(300 * 1024)), Ok(finished.clone())]);
        let first = long.next().await.ok().unwrap();
        let last = {
            let mut next = pin!(long.next());
            assert!(next.as_mut().now_or_never().is_none(), "the first read is not committed yet");
            drop(first);
            next.await.ok().unwrap()
        };
        let mut short = reads(vec![Ok(words(5)), Ok(finished)]);
        assert_eq!(next(&mut short).await, Ok((5, false)));
        assert_eq!(next(&mut short).await, Ok((0, false)), "a short one waits for nobody");
        let mut end = pin!(long.next());
        assert!(end.as_mut().now_or_never().is_none(), "the last words are not committed yet");
        drop(last);
        assert!(end.await.is_err_and(|end| end.result.is_ok() && end.turn.is_some()));
    }
}
