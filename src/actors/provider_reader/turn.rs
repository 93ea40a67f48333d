//! Turns of large batches: what is read of many long answers at the same moment is handled one batch after the other, and
//! between two of them everything else on the arbiter gets on.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The cost from which on a batch takes a turn. To fold, encode and encrypt so much takes some tenths of a millisecond.
const LARGE: usize = 16 * 1024;

thread_local! {
    /// The one turn of this arbiter.
    static TURN: Arc<Semaphore> = Arc::new(Semaphore::new(1));
}

/// The turn that a large batch has until this is dropped.
#[derive(Debug)]
pub(crate) struct BatchTurn {
    _permit: OwnedSemaphorePermit,
}

/// Waits until a batch of that cost may be handled; at once, if it is a small one.
pub(super) async fn turn_for(cost: usize) -> Option<BatchTurn> {
    if cost < LARGE {
        return None;
    }
    let turn = TURN.with(Arc::clone);
    // It is never closed.
    turn.acquire_owned().await.ok().map(|permit| BatchTurn { _permit: permit })
}

#[cfg(test)]
mod tests {
    use super::{LARGE, turn_for};

    #[tokio::test]
    async fn large_batches_have_their_turns_one_after_the_other_and_small_ones_wait_for_none() {
        let first = turn_for(LARGE).await;
        assert!(first.is_some());
        let mut second = std::pin::pin!(turn_for(LARGE));
        tokio::select! {
            biased;
            _ = &mut second => unreachable!("two large batches at a time"),
            small = turn_for(LARGE - 1) => assert!(small.is_none()),
        }
        drop(first);
        assert!(second.await.is_some());
    }
}
