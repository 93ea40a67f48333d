//! The gate in front of a provider: it limits how many use the provider at once and how many wait, and shares both among
//! keys.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use book::{Book, GatePlace};

mod book;

#[cfg(test)]
mod tests;

/// The most callers that use a provider, and that wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateLimits {
    /// The most callers that use it at the same time.
    pub max_concurrent: NonZeroUsize,
    /// The most callers that wait in the queue; those that use it do not count. Zero: no caller waits.
    pub max_queue: usize,
    /// The most callers under the same key that use it or wait. None: each key has a share, which leaves others room. One
    /// key alone gets three quarters of the slots, or all where there are three or fewer, and half of the queue; the more
    /// keys there are, the less each gets.
    pub max_concurrent_per_key: Option<NonZeroUsize>,
}

impl Default for GateLimits {
    fn default() -> Self {
        const MANY: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
        Self { max_concurrent: MANY, max_queue: MANY.get(), max_concurrent_per_key: None }
    }
}

/// Why a caller was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GateRefusal {
    /// All slots are taken and the queue is full.
    #[error("the queue is full")]
    QueueFull,
    /// The limit of callers under this key is reached.
    #[error("too many requests under this key are running or waiting")]
    KeyBusy,
}

impl GateRefusal {
    /// The name for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::KeyBusy => "key_busy",
        }
    }
}

/// The counts of a gate, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateFigures {
    /// How many callers have a slot. One that was handed over counts, even if its new owner has not been polled yet.
    pub running: usize,
    /// How many callers wait in the queue.
    pub waiting: usize,
    /// How many keys those callers have.
    pub keys: usize,
    /// How many callers were refused since the start because the queue was full.
    pub refused_queue_full: u64,
    /// How many callers were refused since the start because their key was busy.
    pub refused_key_busy: u64,
}

/// The gate in front of a provider. Clones are the same gate; any thread and any runtime may use it.
///
/// A slot that becomes free goes at that moment to the key that has the fewest, and among keys with equally many to the one
/// that was given one the longest ago, whether or not its caller has been woken yet. Callers under one key are served in
/// the order of their arrival. Slots and positions in the queue are given back when their values are dropped, also by a panic or an
/// aborted task.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<GateState>,
}

struct GateState {
    limits: GateLimits,
    callers: Mutex<Callers>,
}

struct Callers {
    book: Book,
    /// Those that wait, by their numbers: how each is told that it has a slot.
    waiting: HashMap<u64, oneshot::Sender<()>>,
}

impl Gate {
    /// Makes an empty gate.
    #[must_use]
    pub fn new(limits: GateLimits) -> Self {
        let callers = Callers { book: Book::new(limits), waiting: HashMap::new() };
        Self { inner: Arc::new(GateState { limits, callers: Mutex::new(callers) }) }
    }

    /// Takes a slot at once, or else the last position in the queue.
    ///
    /// # Errors
    /// If the key is busy or has its share of the queue, or if the queue is full.
    pub fn enter(&self, key: &str) -> Result<Ticket, GateRefusal> {
        let mut callers = self.inner.callers.lock();
        let place = callers.book.enter(key)?;
        Ok(self.ticket(key, place, &mut callers))
    }

    /// Takes a slot at once, or else the last position in the queue, without regard to the limits of queue and key:
    /// for callers whose number is bounded in another way.
    pub fn line_up(&self, key: &str) -> Ticket {
        let mut callers = self.inner.callers.lock();
        let place = callers.book.line_up(key);
        self.ticket(key, place, &mut callers)
    }

    fn ticket(&self, key: &str, place: GatePlace, callers: &mut Callers) -> Ticket {
        let turn = (!place.is_granted).then(|| {
            let (tell, told) = oneshot::channel();
            callers.waiting.insert(place.number, tell);
            told
        });
        Ticket { turn, entry: GateEntry { inner: Arc::clone(&self.inner), key: key.into(), number: place.number } }
    }

    /// What the gate counts now.
    #[must_use]
    pub fn figures(&self) -> GateFigures {
        self.inner.callers.lock().book.figures()
    }
}

// Keys name callers.
impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("limits", &self.inner.limits).field("figures", &self.figures()).finish()
    }
}

/// One entry of the book; dropping it removes the entry, and gives its slot to the next.
struct GateEntry {
    inner: Arc<GateState>,
    key: Arc<str>,
    number: u64,
}

impl Drop for GateEntry {
    fn drop(&mut self) {
        let mut callers = self.inner.callers.lock();
        callers.waiting.remove(&self.number);
        callers.book.leave(&self.key, self.number);
        let mut next = Vec::new();
        while let Some(number) = callers.book.grant_next() {
            next.extend(callers.waiting.remove(&number));
        }
        drop(callers);
        for told in next {
            // Who left meanwhile gives its slot back itself.
            let _left = told.send(());
        }
    }
}

/// A slot, or a position in the queue for one. Dropping it gives either back.
#[must_use]
pub struct Ticket {
    /// None if there was a free slot.
    turn: Option<oneshot::Receiver<()>>,
    entry: GateEntry,
}

impl Ticket {
    /// Whether there was a free slot on entering.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        self.turn.is_none()
    }

    /// Waits for a slot. Dropping the future leaves the queue.
    pub async fn granted(self) -> Permit {
        let Self { turn, entry } = self;
        if let Some(turn) = turn {
            // A task that has used up its share of the thread would be told to wait even if it has a slot.
            never_dropped(tokio::task::unconstrained(turn).await);
        }
        Permit { _entry: entry }
    }
}

#[expect(clippy::expect_used, reason = "the sender is kept until the slot is granted or its entry is dropped")]
fn never_dropped(told: Result<(), oneshot::error::RecvError>) {
    told.expect("the gate tells everybody who waits");
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_granted", &self.is_granted()).finish_non_exhaustive()
    }
}

/// A slot. Dropping it hands it to the next.
#[must_use]
pub struct Permit {
    _entry: GateEntry,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
