//! Ending a node without breaking what it runs.

use std::time::Duration;

use tokio::{sync::oneshot, time::timeout};

use super::Antiphon;
use crate::actors::Drain;

/// How long clients may read what was ended while draining.
const LAST_READS: Duration = Duration::from_secs(5);

/// What became of a node that was drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// How many responses still ran or were still read when the patience was over. They were ended as interrupted, or
    /// left to the next process where that can resume them.
    pub unfinished: usize,
    /// Whether it is known that nothing ran and nobody read any more in the end. What did is settled by the node that has
    /// the database next.
    pub is_complete: bool,
    /// Whether the node's lease was given up. If not, other nodes wait until it has run out.
    pub is_lease_released: bool,
}

impl Antiphon {
    /// Takes no new responses from now on, waits until those that run have ended and are read, and after
    /// `patience` ends the rest as interrupted. Clients then have a few seconds to read how it ended. In the end
    /// the node's lease is given up: other nodes on its database settle at once what could not be ended here.
    pub async fn drain(&self, patience: Duration) -> DrainReport {
        self.begin_draining();
        let mut unfinished = 0;
        let mut is_complete = timeout(patience, self.drained(false, &mut 0)).await.unwrap_or(false);
        if !is_complete {
            // Who still reads after that can read the rest from the database.
            is_complete = timeout(LAST_READS, self.drained(true, &mut unfinished)).await.unwrap_or(false);
        }
        let released = timeout(LAST_READS, self.heartbeat().give_up()).await;
        if released.is_err() {
            tracing::warn!("the node's lease is not given up yet: the database does not answer");
        }
        DrainReport { unfinished, is_complete, is_lease_released: released.unwrap_or(false) }
    }

    /// Waits until nothing runs; with `now` the registry ends what does. Tells at once how many ran. Returns whether the
    /// registry confirmed the end: without its answer, what ran is settled by its successor.
    async fn drained(&self, now: bool, running: &mut usize) -> bool {
        let (reply, none_runs) = oneshot::channel();
        let Ok(registry) = self.registry().await else { return false };
        *running = registry.send(Drain { now, reply }).await.unwrap_or(0);
        none_runs.await.is_ok()
    }
}
