use std::{pin::pin, time::Duration};

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::{BatchTurn, FREE, LONGEST_WAIT, MOST_UNCOMMITTED, MOST_UNFOLDED, RecentReads};

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
async fn what_is_read_waits_until_there_is_room_for_it_beside_what_is_folded_and_committed() {
    let mut first = BatchTurn::wait(MOST_UNFOLDED).await;
    assert!(BatchTurn::wait(1).now_or_never().is_none(), "the first one is not folded yet");
    first.folded();
    let mut all = pin!(BatchTurn::wait(10 * MOST_UNCOMMITTED));
    assert!(all.as_mut().now_or_never().is_none(), "the first one is not committed yet");
    drop(first);
    let all = all.await;
    assert!(BatchTurn::wait(1).now_or_never().is_none());
    drop(all);
    assert!(BatchTurn::wait(1).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_for_those_that_wait_for_a_database() {
    let held = BatchTurn::wait(MOST_UNCOMMITTED).await;
    let begun = Instant::now();
    let next = BatchTurn::wait(1).await;
    assert_eq!(begun.elapsed(), LONGEST_WAIT);
    drop((held, next));
}
