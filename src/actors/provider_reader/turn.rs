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

/// The cost that may be on its way to the fold on an arbiter, of those that read much: so much is done in a millisecond or
/// two, and then everything else has its turn.
const MOST_UNFOLDED: usize = 64 * 1024;

/// The cost that may be on its way to the database on an arbiter, of those that read much.
const MOST_UNCOMMITTED: usize = 256 * 1024;

/// How long a batch waits for its turn at most: those before it may be waiting for a database.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

thread_local! {
    static UNFOLDED: Arc<Semaphore> = Arc::new(Semaphore::new(MOST_UNFOLDED));
    static UNCOMMITTED: Arc<Semaphore> = Arc::new(Semaphore::new(MOST_UNCOMMITTED));
}

/// The turn that a batch has until this is dropped.
#[derive(Debug)]
pub(crate) struct BatchTurn {
    unfolded: Option<OwnedSemaphorePermit>,
    _uncommitted: Option<OwnedSemaphorePermit>,
}

impl BatchTurn {
    /// Waits until a batch of that cost may be worked on beside the others of this arbiter.
    pub(super) async fn wait(cost: usize) -> Self {
        let turn = async {
            let uncommitted = acquire(UNCOMMITTED.with(Arc::clone), cost.min(MOST_UNCOMMITTED)).await;
            let unfolded = acquire(UNFOLDED.with(Arc::clone), cost.min(MOST_UNFOLDED)).await;
            Self { unfolded, _uncommitted: uncommitted }
        };
        let none = Self { unfolded: None, _uncommitted: None };
        tokio::time::timeout(LONGEST_WAIT, turn).await.unwrap_or(none)
    }

    /// The batch is folded, and is to be committed.
    pub(crate) fn folded(&mut self) {
        self.unfolded = None;
    }
}

/// None if it were closed, which it never is.
async fn acquire(turns: Arc<Semaphore>, cost: usize) -> Option<OwnedSemaphorePermit> {
    turns.acquire_many_owned(u32::try_from(cost).unwrap_or(u32::MAX)).await.ok()
}

/// How much a reader has read lately.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecentReads {
    /// Of all batches.
    total: usize,
    cost: usize,
    at: Instant,
}

impl RecentReads {
    pub(super) fn new(now: Instant) -> Self {
        Self { total: 0, cost: 0, at: now }
    }

    /// Adds a batch. Returns whether it needs a turn.
    pub(super) fn add(&mut self, cost: usize, now: Instant) -> bool {
        let forgotten = forgotten_after(now.saturating_duration_since(self.at));
        let recent = self.cost.saturating_sub(forgotten).saturating_add(cost);
        *self = Self { total: self.total.saturating_add(cost), cost: recent.min(MOST_REMEMBERED), at: now };
        recent >= FREE
    }

    /// Of all batches.
    pub(super) fn total(&self) -> usize {
        self.total
    }
}

fn forgotten_after(pause: Duration) -> usize {
    let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
    usize::try_from(micros.saturating_mul(FREE_PER_SECOND) / 1_000_000).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
