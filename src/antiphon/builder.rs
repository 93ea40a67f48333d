//! Putting a node together.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicUsize},
};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use super::handle::{Antiphon, NodeParts};
use crate::actors::{
    ActorRole, Heartbeat, Journal, Label, Node, NodeFailure, NodeGuardian, NodeOwnership, NodeState, OutcomeCache,
    ProviderOptions, Upstream,
    supervision::{ActorIdentity, Arbiters, ArbitersStartError, Roster, spawn_on},
};
use crate::admission::Admission;
use crate::clock::{Clock, SystemClock};
use crate::domain::{LimitOptions, Model, ModelCatalog, ResponseOptions};
use crate::journal::{LogPool, LogPoolOptions};
use crate::provider::Provider;
use crate::store::Store;
use crate::tokens::{Tiktoken, TokenCounter};
use crate::vault::Vault;

/// A node could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There are no threads to run on.
    #[error(transparent)]
    Arbiters(#[from] ArbitersStartError),
    /// There are no threads to read logs.
    #[error("the threads that read logs could not be started")]
    LogThreads(#[source] std::io::Error),
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
    /// An option with which no node can work.
    #[error("the option '{option}' {reason}")]
    Options {
        /// The field of [`ResponseOptions`].
        option: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Puts a node together.
#[derive(Debug)]
pub struct Builder {
    name: String,
    store: Store,
    vault: Vault,
    upstreams: HashMap<String, Upstream>,
    models: ModelCatalog,
    limits: LimitOptions,
    clock: Arc<dyn Clock>,
    token_counter: Arc<dyn TokenCounter>,
    responses: ResponseOptions,
}

impl Antiphon {
    /// Puts a node together.
    #[must_use]
    pub fn builder(store: impl Into<Store>, vault: Vault) -> Builder {
        Builder::new(store.into(), vault)
    }
}

impl Builder {
    fn new(store: Store, vault: Vault) -> Self {
        Self {
            name: "antiphon".to_owned(),
            store,
            vault,
            upstreams: HashMap::new(),
            models: ModelCatalog::default(),
            limits: LimitOptions::default(),
            clock: Arc::new(SystemClock),
            token_counter: Arc::new(Tiktoken),
            responses: ResponseOptions::default(),
        }
    }

    /// The node's name in the database; `antiphon` unless given. Two nodes on one database need two names.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a provider under the name that models call it by, with the options that providers have by default. It takes
    /// the place of one that was added under that name before. One that others hold too is given as an `Arc`.
    #[must_use]
    pub fn provider(self, name: impl Into<String>, provider: impl Provider) -> Self {
        self.provider_with_options(name, provider, ProviderOptions::default())
    }

    /// Adds a provider as [`provider`](Self::provider) does, with options of its own.
    #[must_use]
    pub fn provider_with_options(
        mut self,
        name: impl Into<String>,
        provider: impl Provider,
        options: ProviderOptions,
    ) -> Self {
        self.upstreams.insert(name.into(), Upstream::new(Arc::new(provider), options));
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
    pub fn limits(mut self, limits: LimitOptions) -> Self {
        self.limits = limits;
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

    /// How responses run; the defaults unless given.
    #[must_use]
    pub fn responses(mut self, options: ResponseOptions) -> Self {
        self.responses = options;
        self
    }

    /// Starts the node. It settles what an earlier run under its name left behind, and takes responses as
    /// soon as the database has given it an epoch.
    ///
    /// It needs no runtime: the actors live on threads of their own, so this works under an actix `System`, under
    /// `#[tokio::main]` and under neither, and any number of nodes may live in one process.
    ///
    /// # Errors
    /// If a model names a provider that is not there, no node can work with the options, or threads can't be started.
    pub fn start(self) -> Result<Antiphon, StartError> {
        self.check_models()?;
        check(&self.responses)?;
        let logs = LogPool::start(LogPoolOptions {
            threads: self.responses.log_threads,
            per_user: self.responses.log_reads_per_user,
            waiting_per_user: self.responses.log_reads_waiting_per_user,
        });
        let logs = logs.map_err(StartError::LogThreads)?;
        let arbiters = Arbiters::start(threads(self.responses.arbiters))?;
        let models = self.models.created_at(self.clock.now().as_seconds());
        let (state, states) = watch::channel(NodeState::Starting);
        let told = state.clone();
        arbiters.watch(self.responses.heartbeat, self.responses.missed_beats(), move || fail(&told, NodeFailure::Hung));
        let node = Arc::new(Node {
            name: self.name,
            store: self.store,
            vault: self.vault,
            journal: Journal::default(),
            ownership: Arc::new(NodeOwnership::default()),
            upstreams: self.upstreams,
            clock: self.clock,
            models,
            limits: self.limits,
            token_counter: self.token_counter,
            logs,
            outcomes: Mutex::new(OutcomeCache::new(self.responses.outcome_cache)),
            arbiters,
            roster: Roster::new(),
            settings: self.responses,
            unmarked_set_aside: AtomicUsize::default(),
        });
        let admission = Admission::new(Arc::clone(&node));
        let heartbeat = Heartbeat::start(&node, state.clone()).map_err(StartError::Heartbeat)?;
        let (guarded, told) = (Arc::clone(&node), state.clone());
        let guardian = spawn_on(
            node.arbiters.root(),
            &node.roster,
            ActorIdentity { label: Label::node(ActorRole::NodeGuardian), span: tracing::Span::none() },
            move |_| NodeGuardian::new(guarded, state),
            // Where the guardian gave up by itself it has said why.
            move |_| fail(&told, NodeFailure::Guardian),
        );
        let admission = Arc::new(admission);
        Ok(Antiphon::new(NodeParts { _guardian: guardian, heartbeat, state: states, node, admission }))
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

/// The number of threads for `arbiters`: one per core for 0.
fn threads(arbiters: usize) -> usize {
    match arbiters {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

/// Refuses what would let every request panic, every actor count as hung, or a response stand still.
fn check(options: &ResponseOptions) -> Result<(), StartError> {
    let ResponseOptions { heartbeat, hang_after, lease, credit_bytes, emission_buffer, .. } = options;
    let zeros = [
        ("heartbeat", heartbeat.is_zero()),
        ("hang_after", hang_after.is_zero()),
        ("lease", lease.is_zero()),
        ("credit_bytes", *credit_bytes == 0),
        ("emission_buffer", *emission_buffer == 0),
    ];
    if let Some((option, _)) = zeros.into_iter().find(|(_, is_zero)| *is_zero) {
        return Err(StartError::Options { option, reason: "must be more than zero" });
    }
    if hang_after < heartbeat {
        return Err(StartError::Options { option: "hang_after", reason: "must be at least 'heartbeat'" });
    }
    if *emission_buffer > Semaphore::MAX_PERMITS {
        return Err(StartError::Options { option: "emission_buffer", reason: "is more than a channel can hold" });
    }
    Ok(())
}

/// Says that the node can't go on, unless somebody has said so before.
fn fail(state: &watch::Sender<NodeState>, failure: NodeFailure) {
    NodeState::tell(state, NodeState::Failed(failure));
}
