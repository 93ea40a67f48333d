use tokio::{
    sync::mpsc::{Receiver, channel},
    time::{Instant, sleep},
};

use super::*;

const LONGEST: Duration = Duration::from_secs(60);
const PATIENCE: StallPatience = StallPatience { longest: LONGEST, waited: Duration::ZERO };
const PLACES: usize = 4;

fn full() -> (Sender<Emission>, Receiver<Emission>) {
    let (sink, emissions) = channel(PLACES);
    while sink.try_send(Emission::End).is_ok() {}
    (sink, emissions)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_has_its_time_and_no_more() {
    let (sink, _emissions) = full();
    for waited in [Duration::ZERO, LONGEST / 3] {
        let begun = Instant::now();
        let patience = StallPatience { waited, ..PATIENCE };
        assert_eq!(room(&sink, 1, patience).await, Err(StalledOrGone::Stalled));
        assert_eq!(begun.elapsed(), LONGEST - waited);
    }
}

#[tokio::test(start_paused = true)]
async fn each_event_that_a_slow_client_takes_begins_its_time_anew() {
    let (sink, mut emissions) = full();
    let client = async {
        for _ in 0..PLACES {
            sleep(LONGEST - Duration::from_secs(1)).await;
            emissions.recv().await;
        }
        // Held: a client that is gone is another case.
        emissions
    };
    let (room, _emissions) = tokio::join!(room(&sink, PLACES, PATIENCE), client);
    assert_eq!(room, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_after_it_took_some_has_its_whole_time_once_more() {
    let (sink, mut emissions) = full();
    let begun = Instant::now();
    let client = async {
        sleep(LONGEST / 2).await;
        emissions.recv().await;
        emissions
    };
    let patience = StallPatience { waited: LONGEST / 3, ..PATIENCE };
    let (room, _emissions) = tokio::join!(room(&sink, PLACES, patience), client);
    assert_eq!((room, begun.elapsed()), (Err(StalledOrGone::Stalled), LONGEST / 2 + LONGEST));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_is_told_at_once() {
    let (sink, emissions) = full();
    drop(emissions);
    assert_eq!(room(&sink, 1, PATIENCE).await, Err(StalledOrGone::Gone));
}

#[test]
fn however_slowly_a_client_reads_its_log_is_read_from_the_beginning_a_few_times_at_most() {
    for pause in (1..60).map(Duration::from_secs) {
        let mut patience = FoldPatience::new();
        let mut made = 0;
        for _ in 0..1_000 {
            if pause >= patience.longest(LONGEST) {
                patience.was_given_up();
                made += 1;
            }
        }
        assert!(made <= 4, "{made} times at {pause:?}");
    }
}
