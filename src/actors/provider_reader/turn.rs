//! Turns of those that read much: what is read of many long answers at the same moment is handled one batch after the
//! other, and between two of them everything else on the arbiter gets on.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// The cost that a reader reads without turns. To fold, encode and encrypt so much takes some tenths of a millisecond.
const FREE: usize = 16 * 1024;

/// The cost a second that it reads without turns for as long as it likes: hundreds of words.
const FREE_PER_SECOND: u64 = 32 * 1024;

/// The most that is held against it, so that it is free again after a pause of half a second.
const MOST_REMEMBERED: usize = 2 * FREE;

thread_local! {
    /// The one turn of this arbiter.
    static TURN: Arc<Semaphore> = Arc::new(Semaphore::new(1));
}

/// The turn that a batch has until this is dropped.
#[derive(Debug)]
pub(crate) struct BatchTurn {
    _permit: OwnedSemaphorePermit,
}

impl BatchTurn {
    /// Waits until no other batch on this arbiter has the turn.
    pub(super) async fn wait() -> Option<Self> {
        let turn = TURN.with(Arc::clone);
        // It is never closed.
        turn.acquire_owned().await.ok().map(|permit| Self { _permit: permit })
    }
}

/// How much a reader has read lately.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecentReads {
    cost: usize,
    at: Instant,
}

impl RecentReads {
    pub(super) fn new(now: Instant) -> Self {
        Self { cost: 0, at: now }
    }

    /// Adds a batch. Returns whether it needs a turn.
    pub(super) fn add(&mut self, cost: usize, now: Instant) -> bool {
        let forgotten = forgotten_after(now.saturating_duration_since(self.at));
        let cost = self.cost.saturating_sub(forgotten).saturating_add(cost);
        *self = Self { cost: cost.min(MOST_REMEMBERED), at: now };
        cost >= FREE
    }
}

fn forgotten_after(pause: Duration) -> usize {
    let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
    usize::try_from(micros.saturating_mul(FREE_PER_SECOND) / 1_000_000).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{BatchTurn, FREE, RecentReads};

    #[test]
    fn who_reads_much_in_large_or_in_small_batches_needs_turns_until_it_pauses() {
        let millis = Duration::from_millis;
        for (batches, turns) in [
            (vec![(0, FREE - 1), (1, 0)], [false, false].as_slice()),
            (vec![(0, FREE), (1, 0)], &[true, false]),
            (vec![(0, FREE / 2), (0, FREE / 2), (0, 1)], &[false, true, true]),
            (vec![(0, 100 * FREE), (200, 1), (500, 1)], &[true, true, false]),
            // Two hundred words a second, for ever.
            ((0..1_000).map(|_| (5, 100)).collect(), &[false; 1_000]),
        ] {
            let mut now = Instant::now();
            let mut recent = RecentReads::new(now);
            let seen: Vec<_> = batches
                .iter()
                .map(|&(pause, cost)| {
                    now += millis(pause);
                    recent.add(cost, now)
                })
                .collect();
            assert_eq!(seen, turns, "{batches:?}");
        }
    }

    #[tokio::test]
    async fn batches_have_their_turns_one_after_the_other() {
        let first = BatchTurn::wait().await;
        assert!(first.is_some());
        let mut second = std::pin::pin!(BatchTurn::wait());
        tokio::select! {
            biased;
            _ = &mut second => unreachable!("two batches at a time"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        assert!(second.await.is_some());
    }
}
