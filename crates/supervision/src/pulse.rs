//! Finding an actor that is not dead but no longer reads its mailbox.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actix::Message;

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
pub enum Beat {
    /// The actor answered since the last beat.
    Alive,
    /// It has not answered for so many beats in a row, and may yet.
    Missed(u32),
    /// It has not answered for as many beats as it may miss, and was killed for that.
    Hung,
}

/// A parent's side of the heartbeat of one child.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    sent: u64,
    missed: u32,
    answered: Arc<AtomicU64>,
}

impl Pulse {
    /// Counts beats, not time: a child that shares its parent's stalled thread is not blamed for the stall.
    pub(super) fn beat(&mut self, patience: u32) -> (Beat, Option<Ping>) {
        if self.answered.load(Ordering::Relaxed) < self.sent {
            self.missed = self.missed.saturating_add(1);
            return (if self.missed >= patience { Beat::Hung } else { Beat::Missed(self.missed) }, None);
        }
        self.missed = 0;
        self.sent += 1;
        (Beat::Alive, Some(Ping { number: self.sent, answered: Arc::clone(&self.answered) }))
    }
}
