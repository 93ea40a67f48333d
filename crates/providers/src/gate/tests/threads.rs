//! The gate under real threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::{JoinHandle, yield_now};

use super::interleavings::Dice;
use super::*;

const SLOTS: usize = 3;

/// Enters a few times; sometimes leaves the line, sometimes panics with a slot.
async fn visit(gate: Gate, running: Arc<AtomicUsize>, seed: u64) {
    let mut dice = Dice::seeded(seed);
    for _ in 0..20 {
        yield_now().await;
        let Ok(ticket) = gate.enter(["a", "b", "c", "d", "e", "f"][dice.roll(6)]) else { continue };
        if dice.roll(8) == 0 {
            continue;
        }
        let permit = ticket.granted().await;
        let inside = Inside::new(&running);
        for _ in 0..dice.roll(4) {
            yield_now().await;
        }
        if dice.roll(40) == 0 {
            resume_unwind(Box::new("on purpose"));
        }
        // The counter goes down before the slot is free.
        drop(inside);
        drop(permit);
    }
}

/// Counts itself, and checks that there are not too many.
struct Inside<'a>(&'a AtomicUsize);

impl<'a> Inside<'a> {
    fn new(running: &'a AtomicUsize) -> Self {
        assert!(running.fetch_add(1, Ordering::SeqCst) < SLOTS, "more than {SLOTS} have a slot");
        Self(running)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_run_leave_panic_and_are_aborted_lose_no_slot() {
    for seed in 0..20 {
        let (gate, running) = (gate_with_keys(SLOTS, 40, Some(12)), Arc::new(AtomicUsize::new(0)));
        let visits: Vec<JoinHandle<()>> =
            (0..100).map(|i| tokio::spawn(visit(gate.clone(), Arc::clone(&running), seed * 1_000 + i))).collect();
        yield_now().await;
        visits.iter().step_by(7).for_each(JoinHandle::abort);
        for visit in visits {
            if let Err(ended) = visit.await {
                let on_purpose = ended.is_cancelled()
                    || ended.into_panic().downcast_ref::<&str>().is_some_and(|text| *text == "on purpose");
                assert!(on_purpose, "seed {seed}: more than {SLOTS} had a slot");
            }
        }
        assert_eq!((counts(&gate), gate.figures().keys), ((0, 0), 0), "seed {seed}");
        let _all: Vec<Permit> = (0..SLOTS).map(|_| permit(&gate, "a")).collect();
    }
}

#[tokio::test]
async fn an_aborted_task_gives_its_slot_and_its_place_back() {
    let gate = gate(1, 2);
    let hold =
        |ticket: Ticket| tokio::spawn(async move { (ticket.granted().await, std::future::pending::<()>().await) });
    let running = hold(gate.enter("a").unwrap());
    let waiting = hold(gate.enter("b").unwrap());
    let last = gate.enter("c").unwrap();
    yield_now().await;
    for task in [waiting, running] {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    let _last = last.granted().await;
    assert_eq!((counts(&gate), gate.figures().keys), ((1, 0), 1));
}

#[tokio::test]
async fn a_slot_given_back_on_another_thread_wakes_the_next_one_here() {
    let gate = gate(1, 1);
    let running = permit(&gate, "a");
    let turn = tokio::spawn(gate.enter("b").unwrap().granted());
    yield_now().await;
    std::thread::spawn(move || drop(running)).join().unwrap();
    let _permit = turn.await.unwrap();
    assert_eq!(counts(&gate), (1, 0));
}
