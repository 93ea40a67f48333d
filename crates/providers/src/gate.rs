//! The gate in front of a provider: it limits how many use the provider at once and how many wait, first in first out.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

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
    /// The most callers under the same key that use it or wait; none for no such limit.
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
/// A slot that becomes free goes to the first in the queue at that moment, whether or not it has been woken yet, so no
/// caller overtakes another. Slots and positions in the queue are given back when their values are dropped, also by a
/// panic or an aborted task.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<GateState>,
}

struct GateState {
    limits: GateLimits,
    /// The semaphore is fair: it hands a slot that is given back to its first waiter.
    slots: Arc<Semaphore>,
    book: Mutex<Book>,
}

/// The counts of the callers that have entered.
#[derive(Default)]
struct Book {
    /// All callers that have a slot or wait.
    entered: usize,
    /// The same by key. A key without callers is not in the map.
    keys: HashMap<Arc<str>, usize>,
    refused_queue_full: u64,
    refused_key_busy: u64,
}

impl Gate {
    /// Makes an empty gate.
    #[must_use]
    pub fn new(limits: GateLimits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.slots()));
        Self { inner: Arc::new(GateState { limits, slots, book: Mutex::default() }) }
    }

    /// Takes a slot at once, or else the last position in the queue.
    ///
    /// # Errors
    /// If the key is busy, or else if the queue is full.
    pub fn enter(&self, key: &str) -> Result<Ticket, GateRefusal> {
        let entry = self.inner.entry(key)?;
        Ok(Ticket { slot: SlotOrTurn::take(&self.inner.slots), entry })
    }

    /// Takes a slot at once, or else the last position in the queue, without regard to the limits of queue and key:
    /// for callers whose number is bounded in another way.
    pub fn line_up(&self, key: &str) -> Ticket {
        let entry = self.inner.count_in(&mut self.inner.book.lock(), key);
        Ticket { slot: SlotOrTurn::take(&self.inner.slots), entry }
    }

    /// What the gate counts now.
    #[must_use]
    pub fn figures(&self) -> GateFigures {
        let book = self.inner.book.lock();
        // A free slot never stays with the gate while somebody waits.
        let running = book.entered.min(self.inner.limits.slots());
        GateFigures {
            running,
            waiting: book.entered - running,
            keys: book.keys.len(),
            refused_queue_full: book.refused_queue_full,
            refused_key_busy: book.refused_key_busy,
        }
    }
}

// Keys name callers.
impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("limits", &self.inner.limits).field("figures", &self.figures()).finish()
    }
}

impl GateLimits {
    fn slots(&self) -> usize {
        self.max_concurrent.get().min(Semaphore::MAX_PERMITS)
    }

    fn refusal(&self, book: &Book, key: &str) -> Option<GateRefusal> {
        let under_key = book.keys.get(key).copied().unwrap_or(0);
        if self.max_concurrent_per_key.is_some_and(|most| under_key >= most.get()) {
            return Some(GateRefusal::KeyBusy);
        }
        (book.entered >= self.slots().saturating_add(self.max_queue)).then_some(GateRefusal::QueueFull)
    }
}

impl GateState {
    fn entry(self: &Arc<Self>, key: &str) -> Result<GateEntry, GateRefusal> {
        let mut book = self.book.lock();
        match self.limits.refusal(&book, key) {
            Some(GateRefusal::KeyBusy) => {
                book.refused_key_busy = book.refused_key_busy.wrapping_add(1);
                Err(GateRefusal::KeyBusy)
            }
            Some(GateRefusal::QueueFull) => {
                book.refused_queue_full = book.refused_queue_full.wrapping_add(1);
                Err(GateRefusal::QueueFull)
            }
            None => Ok(self.count_in(&mut book, key)),
        }
    }

    fn count_in(self: &Arc<Self>, book: &mut Book, key: &str) -> GateEntry {
        let key: Arc<str> = key.into();
        book.entered += 1;
        *book.keys.entry(Arc::clone(&key)).or_default() += 1;
        GateEntry { inner: Arc::clone(self), key }
    }
}

impl Book {
    fn leave(&mut self, key: &str) {
        self.entered -= 1;
        if let Some(count) = self.keys.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.keys.remove(key);
                self.shrink();
            }
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
}

/// One entry of the book; dropping it removes the entry.
struct GateEntry {
    inner: Arc<GateState>,
    key: Arc<str>,
}

impl Drop for GateEntry {
    fn drop(&mut self) {
        self.inner.book.lock().leave(&self.key);
    }
}

type WaitInLine = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

enum SlotOrTurn {
    Slot(OwnedSemaphorePermit),
    Line(WaitInLine),
}

impl SlotOrTurn {
    /// An acquisition takes its slot or its position in the semaphore's queue when it is first polled, so it is polled
    /// here. Unconstrained: a task that has used up its budget would be told to wait even if there is a slot.
    fn take(slots: &Arc<Semaphore>) -> Self {
        let mut line: WaitInLine = Box::pin(tokio::task::unconstrained(Arc::clone(slots).acquire_owned()));
        match line.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(slot) => Self::Slot(never_closed(slot)),
            Poll::Pending => Self::Line(line),
        }
    }
}

#[expect(clippy::expect_used, reason = "nobody closes the semaphore")]
fn never_closed(slot: Result<OwnedSemaphorePermit, AcquireError>) -> OwnedSemaphorePermit {
    slot.expect("the semaphore is open")
}

/// A slot, or a position in the queue for one. Dropping it gives either back.
#[must_use]
pub struct Ticket {
    // Given back before the book is changed, so that the queue is never longer than the book says.
    slot: SlotOrTurn,
    entry: GateEntry,
}

impl Ticket {
    /// Whether there was a free slot on entering.
    #[must_use]
    pub const fn is_granted(&self) -> bool {
        match self.slot {
            SlotOrTurn::Slot(_) => true,
            SlotOrTurn::Line(_) => false,
        }
    }

    /// Waits for a slot. Dropping the future leaves the queue.
    pub async fn granted(self) -> Permit {
        let Self { slot, entry } = self;
        let slot = match slot {
            SlotOrTurn::Slot(slot) => slot,
            SlotOrTurn::Line(line) => never_closed(line.await),
        };
        Permit { _slot: slot, _entry: entry }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_granted", &self.is_granted()).finish_non_exhaustive()
    }
}

/// A slot. Dropping it hands it to the first in the queue.
#[must_use]
pub struct Permit {
    // Given back before the book is changed, as with the ticket.
    _slot: OwnedSemaphorePermit,
    _entry: GateEntry,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
