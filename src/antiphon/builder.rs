//! Putting a node together.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::watch;

use super::Antiphon;
use crate::actors::{
    EstimateTokens, Heartbeat, Journal, Node, NodeFailure, NodeGuardian, NodeState, Planner, ProviderLimits, Settings,
    Standing, Upstream,
    supervision::{Arbiters, ArbitersGone, Label, Role, Roster, spawn_on},
};
use crate::clock::{Clock, SystemClock};
use crate::provider::Provider;
use crate::store::Store;
use crate::vault::Vault;

/// A node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There are no threads to run on.
    #[error(transparent)]
    Arbiters(#[from] ArbitersGone),
    /// There is no thread to renew the node's lease.
    #[error("the thread that renews the node's lease could not be started")]
    Heartbeat(#[source] std::io::Error),
}

/// Puts a node together.
#[derive(Debug)]
pub struct Builder {
    name: String,
    store: Arc<dyn Store>,
    vault: Vault,
    upstreams: HashMap<String, Upstream>,
    clock: Arc<dyn Clock>,
    tokens: Arc<dyn EstimateTokens>,
    planner: Option<Arc<dyn Planner>>,
    settings: Settings,
    arbiters: usize,
}

impl Builder {
    pub(super) fn new(store: Arc<dyn Store>, vault: Vault, tokens: Arc<dyn EstimateTokens>) -> Self {
        Self {
            name: "antiphon".to_owned(),
            store,
            vault,
            upstreams: HashMap::new(),
            clock: Arc::new(SystemClock),
            tokens,
            planner: None,
            settings: Settings::default(),
            arbiters: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// The node's name in the database; `antiphon` unless given. Two nodes on one database need two names.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a provider under the name that plans call it by, with limits as they are unless given.
    #[must_use]
    pub fn provider(self, name: impl Into<String>, provider: impl Provider) -> Self {
        self.limited_provider(name, Arc::new(provider), ProviderLimits::default())
    }

    /// Adds a provider under the name that plans call it by.
    #[must_use]
    pub fn limited_provider(
        mut self,
        name: impl Into<String>,
        provider: Arc<dyn Provider>,
        limits: ProviderLimits,
    ) -> Self {
        self.upstreams.insert(name.into(), Upstream::new(provider, limits));
        self
    }

    /// The time of day; the machine's own unless given.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What plans responses again that wait for their turn when the process ends; without it they end then.
    #[must_use]
    pub fn planner(mut self, planner: Arc<dyn Planner>) -> Self {
        self.planner = Some(planner);
        self
    }

    /// How patient the actors are, and how much they hold.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// How many threads run responses; one per core unless given.
    #[must_use]
    pub fn arbiters(mut self, count: usize) -> Self {
        self.arbiters = count;
        self
    }

    /// Starts the node. It settles what an earlier run under its name left behind, and takes responses as
    /// soon as the database has given it an epoch.
    ///
    /// # Errors
    /// If its threads can't be started.
    pub fn start(self) -> Result<Antiphon, StartError> {
        let arbiters = Arbiters::start(self.arbiters)?;
        let (state, states) = watch::channel(NodeState::Starting);
        let told = state.clone();
        arbiters.watch(self.settings.heartbeat, self.settings.missed_beats, move || fail(&told, NodeFailure::Hung));
        let node = Arc::new(Node {
            name: self.name,
            store: self.store,
            vault: self.vault,
            journal: Journal::default(),
            standing: Arc::new(Standing::default()),
            upstreams: self.upstreams,
            clock: self.clock,
            tokens: self.tokens,
            planner: self.planner,
            arbiters,
            roster: Roster::new(),
            settings: self.settings,
        });
        let heartbeat = Heartbeat::start(&node, state.clone()).map_err(StartError::Heartbeat)?;
        let (guarded, told) = (Arc::clone(&node), state.clone());
        let guardian = spawn_on(
            node.arbiters.node(),
            &node.roster,
            (Label::node(Role::NodeGuardian), tracing::Span::none()),
            move |_| NodeGuardian::new(guarded, state),
            // Where the guardian gave up by itself it has said why.
            move |_| fail(&told, NodeFailure::Guardian),
        );
        Ok(Antiphon::new(node, (guardian, heartbeat), states))
    }
}

/// Says that the node can't go on, unless somebody has said so before.
fn fail(state: &watch::Sender<NodeState>, failure: NodeFailure) {
    NodeState::tell(state, NodeState::Failed(failure));
}
