//! Who is alive.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

#[cfg(feature = "fault-injection")]
use super::fault_injection::FaultSwitch;

/// The actors that are alive, each by the label that it was started under: for metrics, for leak checks and for the
/// faults that tests inflict.
///
/// A label is whatever tells your actors apart: a `&'static str`, an enum of roles, a role with an id. It is stored
/// as it is, so one that is `Copy` costs nothing. Several actors may have the same. Clones are the same roster.
///
/// ```
/// use std::time::Duration;
///
/// use actix::{Actor, Context};
/// use antiphon_supervision::{Roster, spawn};
///
/// struct Idle;
/// impl Actor for Idle {
///     type Context = Context<Self>;
/// }
///
/// actix::System::new().block_on(async {
///     let roster = Roster::new();
///     let child = spawn(&roster, "idle", |_| Idle, |_| {});
///     assert_eq!(roster.live(), ["idle"]);
///     let leak = roster.wait_until_empty(Duration::from_millis(1)).await.unwrap_err();
///     assert_eq!(leak.to_string(), "1 actor is still alive after 1ms: [\"idle\"]");
///     drop(child);
///     assert!(roster.wait_until_empty(Duration::from_secs(5)).await.is_ok());
/// });
/// ```
pub struct Roster<L = &'static str>(Arc<Mutex<RosterState<L>>>);

struct RosterState<L> {
    next: u64,
    live: BTreeMap<u64, LiveActor<L>>,
    /// There from the first time that somebody waits; nobody pays for it before.
    changed: Option<Arc<Notify>>,
}

pub(super) struct LiveActor<L> {
    pub(super) label: L,
    #[cfg(feature = "fault-injection")]
    pub(super) faults: FaultSwitch,
}

impl<L> LiveActor<L> {
    fn new(label: L) -> Self {
        Self {
            label,
            #[cfg(feature = "fault-injection")]
            faults: FaultSwitch::default(),
        }
    }
}

impl<L> Roster<L> {
    /// An empty roster.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(RosterState { next: 0, live: BTreeMap::new(), changed: None })))
    }

    pub(super) fn enter(&self, label: L) -> RosterEntry<L> {
        let number = self.change(|state| {
            let number = state.next;
            state.next += 1;
            state.live.insert(number, LiveActor::new(label));
            number
        });
        RosterEntry { roster: self.clone(), number }
    }

    /// What `look` finds at those that are alive, oldest first.
    pub(super) fn find<T>(&self, look: impl Fn(&LiveActor<L>) -> Option<T>) -> Vec<T> {
        self.0.lock().live.values().filter_map(look).collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut RosterState<L>) -> T) -> T {
        let (value, changed) = {
            let mut state = self.0.lock();
            (change(&mut state), state.changed.clone())
        };
        if let Some(changed) = changed {
            changed.notify_waiters();
        }
        value
    }
}

impl<L: Clone> Roster<L> {
    /// Who is alive, oldest first.
    #[must_use]
    pub fn live(&self) -> Vec<L> {
        self.find(|live| Some(live.label.clone()))
    }

    /// Waits until those that are alive are as `wanted`.
    pub async fn wait_until(&self, wanted: impl Fn(&[L]) -> bool) {
        let change = Arc::clone(self.0.lock().changed.get_or_insert_default());
        loop {
            let changed = change.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if wanted(&self.live()) {
                return;
            }
            changed.await;
        }
    }

    /// The leak check: waits until nobody is alive, at most for `patience`.
    ///
    /// An actor is off the roster once it is dropped, before its parent is told.
    ///
    /// # Errors
    /// Those that are alive after that time.
    pub async fn wait_until_empty(&self, patience: Duration) -> Result<(), LeakedActors<L>> {
        if timeout(patience, self.wait_until(<[_]>::is_empty)).await.is_ok() {
            return Ok(());
        }
        let alive = self.live();
        if alive.is_empty() { Ok(()) } else { Err(LeakedActors { alive, patience }) }
    }
}

impl<L> Clone for Roster<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Default for Roster<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: fmt::Debug> fmt::Debug for Roster<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.lock().live.values().map(|live| &live.label)).finish()
    }
}

/// Actors that should have ended and have not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeakedActors<L> {
    /// Who they are, oldest first.
    pub alive: Vec<L>,
    /// How long they were waited for.
    pub patience: Duration,
}

impl<L: fmt::Debug> fmt::Display for LeakedActors<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alive, patience } = self;
        let are = if alive.len() == 1 { "actor is" } else { "actors are" };
        write!(f, "{} {are} still alive after {patience:?}: {alive:?}", alive.len())
    }
}

impl<L: fmt::Debug> std::error::Error for LeakedActors<L> {}

/// An actor's entry in the roster, which is removed when this is dropped.
pub(super) struct RosterEntry<L> {
    roster: Roster<L>,
    number: u64,
}

impl<L> RosterEntry<L> {
    /// What `look` finds at this actor.
    #[cfg(feature = "fault-injection")]
    pub(super) fn actor<T>(&self, look: impl FnOnce(&LiveActor<L>) -> T) -> Option<T> {
        self.roster.0.lock().live.get(&self.number).map(look)
    }
}

impl<L> Drop for RosterEntry<L> {
    fn drop(&mut self) {
        // Dropped after the lock is given back: a label's own drop may do anything.
        let _gone = self.roster.change(|state| state.live.remove(&self.number));
    }
}
