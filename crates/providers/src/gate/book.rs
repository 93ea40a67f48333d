//! Who has a slot, who waits, and who is next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{GateFigures, GateLimits, GateRefusal};

/// A key takes another slot only while it has fewer than this many times those that are free. So one key alone leaves a
/// quarter of the slots to others, and however many keys there are, together they leave some free.
const SHARE: usize = 3;

/// The callers of a gate. Each has a number, in the order of arrival.
#[derive(Debug)]
pub(super) struct Book {
    limits: GateLimits,
    next: u64,
    /// How many slots were given so far.
    served: u64,
    running: usize,
    waiting: usize,
    /// A key without callers is not in the map.
    keys: HashMap<Arc<str>, UnderKey>,
    /// The keys with somebody who waits, by whose turn it is.
    turns: BTreeMap<Turn, Arc<str>>,
    refused_queue_full: u64,
    refused_key_busy: u64,
}

/// The key that has the fewest slots is next; of those the one that was given one the longest ago, or never; of those the
/// one whose first caller came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    running: usize,
    last_served: u64,
    first: u64,
}

#[derive(Debug, Default)]
struct UnderKey {
    running: usize,
    last_served: u64,
    waiting: BTreeSet<u64>,
}

impl UnderKey {
    fn turn(&self) -> Option<Turn> {
        Some(Turn { running: self.running, last_served: self.last_served, first: *self.waiting.first()? })
    }
}

/// What a caller got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GatePlace {
    pub(super) number: u64,
    /// Whether it is a slot; otherwise a position in the queue.
    pub(super) is_granted: bool,
}

impl Book {
    pub(super) fn new(limits: GateLimits) -> Self {
        Self {
            limits,
            next: 0,
            served: 0,
            running: 0,
            waiting: 0,
            keys: HashMap::new(),
            turns: BTreeMap::new(),
            refused_queue_full: 0,
            refused_key_busy: 0,
        }
    }

    /// Takes in a caller, unless a limit refuses it.
    pub(super) fn enter(&mut self, key: &str) -> Result<GatePlace, GateRefusal> {
        match self.refusal(key) {
            None => Ok(self.line_up(key)),
            Some(refusal) => {
                let count = match refusal {
                    GateRefusal::QueueFull => &mut self.refused_queue_full,
                    GateRefusal::KeyBusy => &mut self.refused_key_busy,
                };
                *count = count.wrapping_add(1);
                Err(refusal)
            }
        }
    }

    /// Takes in a caller, however many wait.
    pub(super) fn line_up(&mut self, key: &str) -> GatePlace {
        let number = self.next;
        self.next += 1;
        self.waiting += 1;
        self.change(key, |under_key| {
            under_key.waiting.insert(number);
        });
        // Those who wait already could not be given one, so there is at most this one to give to.
        GatePlace { number, is_granted: self.grant_next() == Some(number) }
    }

    /// Removes a caller that has a slot or waits.
    pub(super) fn leave(&mut self, key: &str, number: u64) {
        let mut waited = false;
        self.change(key, |under_key| {
            waited = under_key.waiting.remove(&number);
            if !waited {
                under_key.running -= 1;
            }
        });
        if waited {
            self.waiting -= 1;
        } else {
            self.running -= 1;
        }
        self.shrink();
    }

    /// Gives a slot to the next caller, if there is one that may have it.
    pub(super) fn grant_next(&mut self) -> Option<u64> {
        let (&Turn { running, first, .. }, key) = self.turns.first_key_value()?;
        if !self.may_run(running) {
            return None;
        }
        let key = Arc::clone(key);
        self.served += 1;
        let last_served = self.served;
        self.change(&key, |under_key| {
            under_key.waiting.remove(&first);
            under_key.running += 1;
            under_key.last_served = last_served;
        });
        self.waiting -= 1;
        self.running += 1;
        Some(first)
    }

    pub(super) fn figures(&self) -> GateFigures {
        GateFigures {
            running: self.running,
            waiting: self.waiting,
            keys: self.keys.len(),
            refused_queue_full: self.refused_queue_full,
            refused_key_busy: self.refused_key_busy,
        }
    }

    fn refusal(&self, key: &str) -> Option<GateRefusal> {
        let (running, waiting) = self.keys.get(key).map_or((0, 0), |it| (it.running, it.waiting.len()));
        if self.limits.max_concurrent_per_key.is_some_and(|most| running + waiting >= most.get()) {
            return Some(GateRefusal::KeyBusy);
        }
        if self.may_run(running) {
            return None;
        }
        let room = self.limits.max_queue.saturating_sub(self.waiting);
        let has_its_share = self.has_shares() && waiting > room;
        match room {
            0 => Some(GateRefusal::QueueFull),
            _ => has_its_share.then_some(GateRefusal::KeyBusy),
        }
    }

    /// Whether a key that has so many slots may have another one.
    fn may_run(&self, running: usize) -> bool {
        let free = self.limits.max_concurrent.get().saturating_sub(self.running);
        free > 0 && (!self.has_shares() || running < free.saturating_mul(SHARE))
    }

    /// Whether keys are held to shares: where they have a limit of their own, that is all.
    const fn has_shares(&self) -> bool {
        self.limits.max_concurrent_per_key.is_none()
    }

    /// Changes what is under a key, and its turn with it.
    fn change(&mut self, key: &str, change: impl FnOnce(&mut UnderKey)) {
        let (key, mut under_key) = self.keys.remove_entry(key).unwrap_or_else(|| (key.into(), UnderKey::default()));
        if let Some(turn) = under_key.turn() {
            self.turns.remove(&turn);
        }
        change(&mut under_key);
        if let Some(turn) = under_key.turn() {
            self.turns.insert(turn, Arc::clone(&key));
        }
        if under_key.running > 0 || !under_key.waiting.is_empty() {
            self.keys.insert(key, under_key);
        }
    }

    /// The map shrinks, so that its memory follows the keys that are in it now.
    fn shrink(&mut self) {
        const SMALL: usize = 64;
        let (used, capacity) = (self.keys.len(), self.keys.capacity());
        if capacity > SMALL && used < capacity / 4 {
            self.keys.shrink_to(used * 2);
        }
    }

    #[cfg(test)]
    pub(super) fn room_for_keys(&self) -> usize {
        self.keys.capacity()
    }
}
