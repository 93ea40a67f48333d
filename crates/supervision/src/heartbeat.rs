//! Finding an actor that is alive but no longer reads its mailbox.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::ThreadId,
    time::Duration,
};

use actix::Message;
use tokio::time::Instant;

/// The least time between two beats that count while the child's thread, another one, gives the child no turn. Beats
/// that a parent catches up on after a stall come closer than this.
const LEAST_GAP: Duration = Duration::from_millis(10);

/// Asks an actor whether it still reads its mailbox. Sent by [`Child::beat`](super::Child::beat), answered by
/// [`Ping::answer`].
#[derive(Debug)]
pub struct Ping {
    number: u64,
    answered: Arc<AtomicU64>,
}

impl Message for Ping {
    type Result = ();
}

impl Ping {
    /// Says that the actor does.
    pub fn answer(&self) {
        self.answered.fetch_max(self.number, Ordering::Relaxed);
    }
}

/// What a heartbeat found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The actor answered since the last beat.
    Alive,
    /// The actor has not answered, but had no turn since the last beat that counted. This beat does not count.
    Waiting,
    /// The actor has not answered for so many beats in a row.
    Missed(u32),
    /// The actor has not answered for as many beats as it may miss, and was killed for that.
    Hung,
}

/// The turns that an actor had on its thread: each is one poll of its future.
#[derive(Debug, Default)]
pub(super) struct TurnCounter {
    begun: AtomicU64,
    ended: AtomicU64,
    thread: OnceLock<ThreadId>,
}

impl TurnCounter {
    /// A turn begins on the current thread, which is always the same one.
    pub(super) fn begin(&self) {
        let _known = self.thread.get_or_init(|| std::thread::current().id());
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    /// The turns so far, as the current thread sees them.
    pub(super) fn so_far(&self) -> TurnCount {
        TurnCount {
            begun: self.begun.load(Ordering::SeqCst),
            ended: self.ended.load(Ordering::SeqCst),
            on_this_thread: self.thread.get() == Some(&std::thread::current().id()),
        }
    }
}

/// How many turns a child has had.
#[derive(Debug, Clone, Copy)]
pub(super) struct TurnCount {
    pub(super) begun: u64,
    pub(super) ended: u64,
    /// Whether the child lives on the thread of who asks.
    pub(super) on_this_thread: bool,
}

/// A parent's side of the heartbeat of one child.
#[derive(Debug, Default)]
pub(super) struct HeartbeatMonitor {
    sent: u64,
    answered: Arc<AtomicU64>,
    missed: u32,
    counted: Option<CountedBeat>,
}

/// The last beat that counted: the next one counts after a turn that began later.
#[derive(Debug)]
struct CountedBeat {
    begun: u64,
    at: Instant,
}

impl HeartbeatMonitor {
    /// What a beat at `now` finds. It counts if the child had a whole turn since the last one that did. A child on
    /// another thread that gives it no turn has its beats counted too, if they are [`LEAST_GAP`] apart.
    pub(super) fn check(&mut self, turns: TurnCount, now: Instant, patience: u32) -> Liveness {
        if self.answered.load(Ordering::Relaxed) >= self.sent {
            self.missed = 0;
            return Liveness::Alive;
        }
        let counts = self.counted.as_ref().is_none_or(|last| {
            turns.ended > last.begun || (!turns.on_this_thread && now.duration_since(last.at) >= LEAST_GAP)
        });
        if !counts {
            return Liveness::Waiting;
        }
        self.missed = self.missed.saturating_add(1);
        if self.missed >= patience { Liveness::Hung } else { Liveness::Missed(self.missed) }
    }

    /// The next ping.
    pub(super) fn ping(&mut self) -> Ping {
        self.sent += 1;
        Ping { number: self.sent, answered: Arc::clone(&self.answered) }
    }

    /// A beat counted, and the child is about to have a turn.
    pub(super) fn counted(&mut self, turns: TurnCount, now: Instant) {
        self.counted = Some(CountedBeat { begun: turns.begun, at: now });
    }
}
