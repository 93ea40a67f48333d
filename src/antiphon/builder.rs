//! Putting a node together.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, watch};

use super::Antiphon;
use crate::actors::{
    Heartbeat, Journal, Label, Node, NodeFailure, NodeGuardian, NodeOwnership, NodeState, ProviderLimits, Role,
    Settings, Upstream,
    supervision::{ActorIdentity, Arbiters, ArbitersStartError, Roster, spawn_on},
};
use crate::admission::{Admission, DisconnectWish};
use crate::clock::{Clock, SystemClock};
use crate::domain::{Limits, Model, ModelCatalog};
use crate::provider::Provider;
use crate::store::Store;
use crate::tokens::{Tiktoken, TokenCounter};
use crate::vault::Vault;

/// How long a client that left is waited for unless the builder is told otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// A node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There are no threads to run on.
    #[error(transparent)]
    Arbiters(#[from] ArbitersStartError),
    /// There is no thread to renew the node's lease.
    #[error("the thread that renews the node's lease could not be started")]
    Heartbeat(#[source] std::io::Error),
    /// A model is to be asked at a provider that was not added.
    #[error("the model '{model}' is at a provider '{provider}', which is not there")]
    UnknownProvider {
        /// The model.
        model: String,
        /// The provider's name.
        provider: String,
    },
    /// A setting with which no node can work.
    #[error("the setting '{field}' {reason}")]
    Settings {
        /// The field of [`Settings`].
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Puts a node together.
#[derive(Debug)]
pub struct Builder {
    name: String,
    store: Arc<dyn Store>,
    vault: Vault,
    upstreams: HashMap<String, Upstream>,
    models: ModelCatalog,
    limits: Limits,
    disconnect: DisconnectWish,
    grace: Duration,
    clock: Arc<dyn Clock>,
    token_counter: Arc<dyn TokenCounter>,
    settings: Settings,
    arbiters: usize,
}

impl Builder {
    pub(super) fn new(store: Arc<dyn Store>, vault: Vault) -> Self {
        Self {
            name: "antiphon".to_owned(),
            store,
            vault,
            upstreams: HashMap::new(),
            models: ModelCatalog::default(),
            limits: Limits::default(),
            disconnect: DisconnectWish::Grace,
            grace: GRACE,
            clock: Arc::new(SystemClock),
            token_counter: Arc::new(Tiktoken),
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

    /// Adds a provider under the name that models call it by, with limits as they are unless given. It takes the place
    /// of one that was added under that name before.
    #[must_use]
    pub fn provider(self, name: impl Into<String>, provider: impl Provider) -> Self {
        self.limited_provider(name, Arc::new(provider), ProviderLimits::default())
    }

    /// Adds a provider under the name that models call it by. It takes the place of one that was added under that name
    /// before.
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

    /// Adds a model that requests can name.
    #[must_use]
    pub fn model(mut self, model: Model) -> Self {
        self.models.insert(model);
        self
    }

    /// The models that requests can name, in place of all that were added.
    #[must_use]
    pub fn models(mut self, models: ModelCatalog) -> Self {
        self.models = models;
        self
    }

    /// How large requests may be.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What happens when the last client of a foreground response leaves, where its request does not say; it is waited
    /// for unless told otherwise.
    #[must_use]
    pub fn on_disconnect(mut self, mode: DisconnectWish) -> Self {
        self.disconnect = mode;
        self
    }

    /// How long a client that left is waited for; 10 seconds unless given.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The time of day; the machine's own unless given.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What counts the tokens of prompts, and of outputs whose provider reports none; [`Tiktoken`] unless given.
    #[must_use]
    pub fn token_counter(mut self, counter: impl TokenCounter) -> Self {
        self.token_counter = Arc::new(counter);
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
    /// It needs no runtime: the actors live on threads of their own, so this works under an actix `System`, under
    /// `#[tokio::main]` and under neither, and any number of nodes may live in one process.
    ///
    /// # Errors
    /// If a model names a provider that is not there, no node can work with the settings, or threads can't be started.
    pub fn start(self) -> Result<Antiphon, StartError> {
        self.check_models()?;
        check(&self.settings)?;
        let arbiters = Arbiters::start(self.arbiters)?;
        let (state, states) = watch::channel(NodeState::Starting);
        let told = state.clone();
        arbiters.watch(self.settings.heartbeat, self.settings.missed_beats, move || fail(&told, NodeFailure::Hung));
        let node = Arc::new(Node {
            name: self.name,
            store: self.store,
            vault: self.vault,
            journal: Journal::default(),
            ownership: Arc::new(NodeOwnership::default()),
            upstreams: self.upstreams,
            clock: self.clock,
            models: self.models,
            limits: self.limits,
            token_counter: self.token_counter,
            arbiters,
            roster: Roster::new(),
            settings: self.settings,
        });
        let admission = Admission::new(Arc::clone(&node), self.disconnect, self.grace);
        let heartbeat = Heartbeat::start(&node, state.clone()).map_err(StartError::Heartbeat)?;
        let (guarded, told) = (Arc::clone(&node), state.clone());
        let guardian = spawn_on(
            node.arbiters.root(),
            &node.roster,
            ActorIdentity { label: Label::node(Role::NodeGuardian), span: tracing::Span::none() },
            move |_| NodeGuardian::new(guarded, state),
            // Where the guardian gave up by itself it has said why.
            move |_| fail(&told, NodeFailure::Guardian),
        );
        Ok(Antiphon::new(node, Arc::new(admission), (guardian, heartbeat), states))
    }

    fn check_models(&self) -> Result<(), StartError> {
        let of = |model: &Model| {
            let fallbacks = model.fallbacks.iter().map(|fallback| &fallback.target);
            let targets = std::iter::once(&model.target).chain(fallbacks);
            let mut unknown = targets.filter(|target| !self.upstreams.contains_key(&target.provider));
            unknown.next().map(|target| (model.id.clone(), target.provider.clone()))
        };
        match self.models.iter().chain(self.models.any()).find_map(of) {
            Some((model, provider)) => Err(StartError::UnknownProvider { model, provider }),
            None => Ok(()),
        }
    }
}

/// Refuses what would let every request panic, every actor count as hung, or a response stand still.
fn check(settings: &Settings) -> Result<(), StartError> {
    let Settings { heartbeat, missed_beats, lease, credit_bytes, emission_buffer, .. } = settings;
    let zeros = [
        ("heartbeat", heartbeat.is_zero()),
        ("missed_beats", *missed_beats == 0),
        ("lease", lease.is_zero()),
        ("credit_bytes", *credit_bytes == 0),
        ("emission_buffer", *emission_buffer == 0),
    ];
    if let Some((field, _)) = zeros.into_iter().find(|(_, is_zero)| *is_zero) {
        return Err(StartError::Settings { field, reason: "must be more than zero" });
    }
    if *emission_buffer > Semaphore::MAX_PERMITS {
        return Err(StartError::Settings { field: "emission_buffer", reason: "is more than a channel can hold" });
    }
    Ok(())
}

/// Says that the node can't go on, unless somebody has said so before.
fn fail(state: &watch::Sender<NodeState>, failure: NodeFailure) {
    NodeState::tell(state, NodeState::Failed(failure));
}
