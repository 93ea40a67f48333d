//! Who is alive.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

use super::monitored::Switch;

/// The actors that are alive, each by the label that it was started under: for metrics, for leak checks and for the
/// fault switches of tests.
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
pub struct Roster<L = &'static str>(Arc<Mutex<Listed<L>>>);

struct Listed<L> {
    next: u64,
    live: BTreeMap<u64, (L, Arc<Switch>)>,
    /// There from the first time that somebody waits; nobody pays for it before.
    changed: Option<Arc<Notify>>,
}

impl<L> Roster<L> {
    /// A roster of nobody.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Listed { next: 0, live: BTreeMap::new(), changed: None })))
    }

    pub(super) fn enter(&self, label: L, switch: Arc<Switch>) -> Presence<L> {
        let number = self.change(|listed| {
            let number = listed.next;
            listed.next += 1;
            listed.live.insert(number, (label, switch));
            number
        });
        Presence { roster: self.clone(), number }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Listed<L>) -> T) -> T {
        let (value, changed) = {
            let mut listed = self.0.lock();
            (change(&mut listed), listed.changed.clone())
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
        self.0.lock().live.values().map(|(label, _)| label.clone()).collect()
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
    pub async fn wait_until_empty(&self, patience: Duration) -> Result<(), Leak<L>> {
        if timeout(patience, self.wait_until(<[_]>::is_empty)).await.is_ok() {
            return Ok(());
        }
        let alive = self.live();
        if alive.is_empty() { Ok(()) } else { Err(Leak { alive, patience }) }
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
        f.debug_set().entries(self.0.lock().live.values().map(|(label, _)| label)).finish()
    }
}

/// Actors that should have ended and have not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak<L> {
    /// Who they are, oldest first.
    pub alive: Vec<L>,
    /// How long they were waited for.
    pub patience: Duration,
}

impl<L: fmt::Debug> fmt::Display for Leak<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alive, patience } = self;
        let are = if alive.len() == 1 { "actor is" } else { "actors are" };
        write!(f, "{} {are} still alive after {patience:?}: {alive:?}", alive.len())
    }
}

impl<L: fmt::Debug> std::error::Error for Leak<L> {}

/// An actor's line in the roster, struck out when dropped.
pub(super) struct Presence<L> {
    roster: Roster<L>,
    number: u64,
}

impl<L> Drop for Presence<L> {
    fn drop(&mut self) {
        // Dropped after the lock is given back: a label's own drop may do anything.
        let _gone = self.roster.change(|listed| listed.live.remove(&self.number));
    }
}

/// What a test can do to an actor from outside.
#[cfg(feature = "fault-injection")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It panics at its next turn.
    Panic,
    /// It stops, without a word to anybody.
    Stop,
    /// It never takes another turn.
    Hang,
    /// It blocks the thread that it lives on, for good.
    Block,
}

#[cfg(feature = "fault-injection")]
impl<L: PartialEq> Roster<L> {
    /// Inflicts a fault on every live actor with that label, waits until it shows, and says on how many.
    pub async fn inflict(&self, label: L, fault: Fault) -> usize {
        let hit: Vec<_> = {
            let listed = self.0.lock();
            listed.live.values().filter(|(found, _)| *found == label).map(|(_, switch)| Arc::clone(switch)).collect()
        };
        for switch in &hit {
            switch.inflict(fault);
            switch.struck().await;
        }
        hit.len()
    }
}
