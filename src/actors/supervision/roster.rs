//! Who is alive.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
#[cfg(feature = "testkit")]
use tokio::sync::Notify;

use super::monitored::Switch;
use crate::protocol::ResponseId;

/// What an actor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Starts what a node needs again when it ends.
    NodeGuardian,
    /// Commits what all responses of a node have to write.
    JournalWriter,
    /// Knows the running responses of a node.
    ResponseRegistry,
    /// Runs one response.
    ResponseSupervisor,
    /// Reads the provider of one response.
    ProviderReader,
    /// Makes the facts of one response durable.
    PersistenceAccumulator,
    /// Writes the events of one response for one client.
    ClientEmitter,
    /// Not one of this crate's.
    Other(&'static str),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NodeGuardian => "node_guardian",
            Self::JournalWriter => "journal_writer",
            Self::ResponseRegistry => "response_registry",
            Self::ResponseSupervisor => "response_supervisor",
            Self::ProviderReader => "provider_reader",
            Self::PersistenceAccumulator => "persistence_accumulator",
            Self::ClientEmitter => "client_emitter",
            Self::Other(name) => name,
        })
    }
}

/// Which actor: its role, and the response that it works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// What it is for.
    pub role: Role,
    /// The response that it works for, if it is one response's.
    pub response: Option<ResponseId>,
}

impl Label {
    /// An actor of the whole node.
    #[must_use]
    pub const fn node(role: Role) -> Self {
        Self { role, response: None }
    }

    /// An actor of one response.
    #[must_use]
    pub const fn of(role: Role, response: ResponseId) -> Self {
        Self { role, response: Some(response) }
    }
}

/// An actor that is alive.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Which.
    pub label: Label,
}

/// The actors that are alive, for metrics, leak checks and the fault switches of tests.
#[derive(Debug, Clone, Default)]
pub struct Roster(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    next: AtomicU64,
    live: Mutex<BTreeMap<u64, (Label, Arc<Switch>)>>,
    #[cfg(feature = "testkit")]
    changed: Notify,
}

impl Roster {
    /// A roster of nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Who is alive.
    #[must_use]
    pub fn live(&self) -> Vec<Live> {
        self.0.live.lock().values().map(|(label, _)| Live { label: *label }).collect()
    }

    pub(super) fn enter(&self, label: Label, switch: Arc<Switch>) -> Presence {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.live.lock().insert(number, (label, switch));
        self.changed();
        Presence { roster: self.clone(), number }
    }

    fn changed(&self) {
        #[cfg(feature = "testkit")]
        self.0.changed.notify_waiters();
    }
}

/// An actor's line in the roster, struck out when dropped.
#[derive(Debug)]
pub(super) struct Presence {
    roster: Roster,
    number: u64,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.roster.0.live.lock().remove(&self.number);
        self.roster.changed();
    }
}

/// What a test can do to an actor from outside.
#[cfg(feature = "testkit")]
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

#[cfg(feature = "testkit")]
impl Roster {
    /// Inflicts a fault on every live actor with that label, waits until it shows, and says on how many.
    pub async fn inflict(&self, label: Label, fault: Fault) -> usize {
        let hit: Vec<_> = {
            let live = self.0.live.lock();
            live.values().filter(|(found, _)| *found == label).map(|(_, switch)| Arc::clone(switch)).collect()
        };
        for switch in &hit {
            switch.inflict(fault);
            switch.struck().await;
        }
        hit.len()
    }

    /// Waits until the list of live actors satisfies `wanted`.
    pub async fn wait_until(&self, wanted: impl Fn(&[Live]) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if wanted(&self.live()) {
                return;
            }
            changed.await;
        }
    }
}
