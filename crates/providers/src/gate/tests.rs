#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod interleavings;
mod shares;
mod threads;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;

fn gate(max_concurrent: usize, max_queue: usize) -> Gate {
    gate_with_keys(max_concurrent, max_queue, None)
}

fn gate_with_keys(max_concurrent: usize, max_queue: usize, max_concurrent_per_key: Option<usize>) -> Gate {
    let max_concurrent_per_key = max_concurrent_per_key.and_then(NonZeroUsize::new);
    Gate::new(GateLimits {
        max_concurrent: NonZeroUsize::new(max_concurrent).unwrap(),
        max_queue,
        max_concurrent_per_key,
    })
}

fn permit(gate: &Gate, key: &str) -> Permit {
    let ticket = gate.enter(key).unwrap();
    assert!(ticket.is_granted());
    ticket.granted().now_or_never().unwrap()
}

/// Somebody who waits in line.
struct Waiter {
    turn: BoxFuture<'static, Permit>,
}

impl Waiter {
    fn at(gate: &Gate, key: &str) -> Self {
        let ticket = gate.enter(key).unwrap();
        assert!(!ticket.is_granted());
        Self { turn: ticket.granted().boxed() }
    }

    /// The permit, if it is this one's turn.
    fn try_take(&mut self) -> Option<Permit> {
        (&mut self.turn).now_or_never()
    }
}

fn counts(gate: &Gate) -> (usize, usize) {
    let figures = gate.figures();
    (figures.running, figures.waiting)
}

#[test]
fn one_runs_two_wait_in_order_and_the_fourth_is_refused_at_once() {
    let gate = gate_with_keys(1, 2, Some(1));
    let first = permit(&gate, "a");
    let (mut second, mut third) = (Waiter::at(&gate, "b"), Waiter::at(&gate, "c"));
    assert_eq!(gate.enter("d").unwrap_err(), GateRefusal::QueueFull);
    assert_eq!(counts(&gate), (1, 2));

    drop(first);
    assert!(third.try_take().is_none());
    let second = second.try_take().unwrap();
    assert!(third.try_take().is_none());
    drop(second);
    drop(third.try_take().unwrap());
    assert_eq!(counts(&gate), (0, 0));
}

#[test]
fn a_key_that_runs_or_waits_is_refused_where_it_may_be_in_once() {
    let gate = gate_with_keys(1, 2, Some(1));
    let running = permit(&gate, "a");
    let mut waiting = Waiter::at(&gate, "b");
    assert_eq!(gate.enter("a").unwrap_err(), GateRefusal::KeyBusy);
    assert_eq!(gate.enter("b").unwrap_err(), GateRefusal::KeyBusy);
    drop(running);
    drop(waiting.try_take().unwrap());
    drop(permit(&gate, "a"));
    drop(permit(&gate, "b"));
}

#[test]
fn a_key_may_be_in_as_often_as_the_limit_says() {
    let gate = gate_with_keys(2, 2, Some(3));
    let _running = [permit(&gate, "a"), permit(&gate, "a")];
    let _waiting = Waiter::at(&gate, "a");
    assert_eq!(gate.enter("a").unwrap_err(), GateRefusal::KeyBusy);
    let _other = Waiter::at(&gate, "b");
}

#[test]
fn refusals_are_counted_by_their_cause() {
    let gate = gate_with_keys(1, 0, Some(1));
    let _running = permit(&gate, "a");
    for _ in 0..3 {
        assert_eq!(gate.enter("a").unwrap_err(), GateRefusal::KeyBusy);
    }
    for key in ["b", "c"] {
        assert_eq!(gate.enter(key).unwrap_err(), GateRefusal::QueueFull);
    }
    let expected = GateFigures { running: 1, waiting: 0, keys: 1, refused_queue_full: 2, refused_key_busy: 3 };
    assert_eq!(gate.figures(), expected);
    assert_ne!(GateRefusal::QueueFull.as_str(), GateRefusal::KeyBusy.as_str());
    assert_ne!(GateRefusal::QueueFull.to_string(), GateRefusal::KeyBusy.to_string());
}

#[test]
fn a_free_slot_belongs_to_the_first_in_line_before_it_has_woken() {
    let gate = gate(1, 2);
    let running = permit(&gate, "a");
    let mut first = Waiter::at(&gate, "b");
    drop(running);
    let mut late = Waiter::at(&gate, "c");
    assert!(late.try_take().is_none());
    assert!(first.try_take().is_some());
}

#[test]
fn service_is_in_order_of_arrival_whoever_looks_first() {
    let gate = gate(1, 10);
    let mut running = permit(&gate, "0");
    let mut line: Vec<Waiter> = (1..=10).map(|key| Waiter::at(&gate, &key.to_string())).collect();
    while !line.is_empty() {
        drop(running);
        let served: Vec<_> = line.iter_mut().enumerate().rev().filter_map(|(i, w)| Some((i, w.try_take()?))).collect();
        let [(0, permit)] = <[_; 1]>::try_from(served).unwrap() else { panic!("somebody overtook") };
        running = permit;
        line.remove(0);
    }
}

#[test]
fn a_waiter_that_leaves_makes_room_and_holds_nobody_up() {
    let gate = gate(1, 2);
    let running = permit(&gate, "a");
    let gone = gate.enter("b").unwrap();
    let mut next = Waiter::at(&gate, "c");
    drop(gone);
    let _last = Waiter::at(&gate, "d");
    drop(running);
    assert!(next.try_take().is_some());
}

#[test]
fn a_slot_handed_to_one_that_leaves_before_it_wakes_goes_to_the_next() {
    let gate = gate(1, 2);
    let running = permit(&gate, "a");
    let (gone, mut next) = (Waiter::at(&gate, "b"), Waiter::at(&gate, "c"));
    drop(running);
    drop(gone);
    assert_eq!(counts(&gate), (1, 0));
    assert!(next.try_take().is_some());
}

#[test]
fn a_ticket_with_a_slot_gives_it_back_too() {
    let gate = gate(1, 0);
    drop(gate.enter("a").unwrap());
    drop(permit(&gate, "b"));
}

#[test]
fn a_panic_gives_slots_and_places_back() {
    let gate = gate(1, 1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _running = permit(&gate, "a");
        let _waiting = Waiter::at(&gate, "b");
        resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
    assert_eq!((counts(&gate), gate.figures().keys), ((0, 0), 0));
    let _running = permit(&gate, "c");
}

#[test]
fn a_million_keys_leave_nothing_behind() {
    const MOST: usize = 200_000;
    let gate = gate_with_keys(MOST, 0, Some(1));
    for round in 0..5 {
        let keys = round * MOST..(round + 1) * MOST;
        let inside: Vec<Ticket> = keys.map(|key| gate.enter(&key.to_string()).unwrap()).collect();
        assert_eq!(gate.figures().keys, MOST);
        drop(inside);
        assert_eq!(gate.figures().keys, 0);
    }
    let capacity = gate.inner.callers.lock().book.room_for_keys();
    assert!(capacity <= 128, "room for {capacity} keys is kept");
}

#[test]
fn debug_output_names_no_key() {
    let gate = gate(1, 1);
    let running = gate.enter("sk-secret").unwrap();
    let waiting = gate.enter("sk-secret").unwrap();
    let mut text = format!("{gate:?} {running:?} {waiting:?}");
    text.push_str(&format!("{:?}", running.granted().now_or_never().unwrap()));
    assert!(!text.contains("secret"), "{text}");
}

/// A task that has used up its share of the thread is made to yield by most of what it polls.
#[tokio::test]
async fn a_busy_task_is_told_of_a_free_slot_at_once() {
    let gate = gate(1, 1);
    while tokio::task::coop::has_budget_remaining() {
        let _ = tokio::task::coop::consume_budget().now_or_never();
    }
    let busy = gate.enter("a").unwrap();
    assert!(busy.is_granted());
    let mut next = Waiter::at(&gate, "b");
    drop(busy);
    assert!(next.try_take().is_some());
}
