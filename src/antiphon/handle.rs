//! The handle: a running node, its life, and the way to its registry.

use std::{
    any::Any,
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler, Message};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::actors::{
    Heartbeat, Journal, Label, Node, NodeFailure, NodeGuardian, NodeState, ResponseRegistry, Upstream,
    supervision::{Child, Roster},
};
use crate::admission::Admission;
use crate::domain::LeaseState;
use crate::provider::UpstreamHealth;
use crate::refusal::Refusal;
use crate::store;

use super::Readiness;

/// How long a request waits for a registry that is being started again.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(5);

/// How many responses that are set aside are counted.
const MOST_COUNTED: u32 = 1_000;

/// A running node. Cheap to clone; when the last handle is dropped all that it started ends, and what was
/// running is settled by the next start under the same name.
///
/// Every method may be called from any tokio runtime, and dropping its future loses no command: what was asked
/// for happens all the same.
#[derive(Debug, Clone)]
pub struct Antiphon(Arc<HandleState>);

/// A handle that keeps nothing alive.
#[derive(Debug, Clone)]
pub struct WeakAntiphon(Weak<HandleState>);

#[derive(Debug)]
struct HandleState {
    parts: NodeParts,
    /// Started when its address is first asked for. Its type is known to the module that starts it.
    dispatcher: Mutex<Option<Box<dyn Any + Send>>>,
    // Here and not in the registry alone, whose successor would not know.
    draining: AtomicBool,
}

/// What a running node consists of.
#[derive(Debug)]
pub(super) struct NodeParts {
    // Dropped first: everything the node runs dies from here.
    pub(super) _guardian: Child<NodeGuardian>,
    pub(super) heartbeat: Heartbeat,
    pub(super) state: watch::Receiver<NodeState>,
    pub(super) node: Arc<Node>,
    pub(super) admission: Arc<Admission>,
}

impl Drop for HandleState {
    fn drop(&mut self) {
        // Without waiting for whoever still shares the node: a thread that somebody blocks is the only one to stay.
        self.parts.node.arbiters.stop();
    }
}

impl WeakAntiphon {
    /// The handle; none once the node is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Antiphon> {
        self.0.upgrade().map(Antiphon)
    }
}

impl Antiphon {
    pub(super) fn new(parts: NodeParts) -> Self {
        Self(Arc::new(HandleState { parts, dispatcher: Mutex::default(), draining: AtomicBool::new(false) }))
    }

    /// A handle that does not keep the node alive: for what the node itself holds, a provider for example.
    #[must_use]
    pub fn downgrade(&self) -> WeakAntiphon {
        WeakAntiphon(Arc::downgrade(&self.0))
    }

    /// Blocks the thread of an arbiter of responses until the answer is dropped; none if all are blocked.
    #[cfg(feature = "fault-points")]
    pub(crate) fn block_arbiter(&self, key: u64) -> Option<std::sync::mpsc::Sender<()>> {
        let (unblock, blocked) = std::sync::mpsc::channel();
        self.0.parts.node.arbiters.of(key)?.spawn_fn(move || {
            let _unblocked = blocked.recv();
        });
        Some(unblock)
    }

    /// What makes plans of requests, with the models and limits that the builder was told.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.0.parts.admission
    }

    /// Whether new responses can be taken, and if not, why. Asks the database.
    ///
    /// # Errors
    /// The database's.
    pub async fn readiness(&self) -> Result<Readiness, store::Error> {
        let node = self.node();
        node.store.group_commit.ping().await?;
        let longest = node.settings.admission_wait();
        Ok(match &*self.0.parts.state.borrow() {
            NodeState::Failed(_) => Readiness::Failed,
            _ if self.is_draining() => Readiness::Draining,
            NodeState::Starting => Readiness::Starting,
            NodeState::Running(_) if node.journal.is_full() => Readiness::DatabaseFull,
            NodeState::Running(_) if !self.has_lease() => Readiness::NoLease,
            NodeState::Running(_) if node.journal.is_away() || node.journal.is_unanswered_for(longest) => {
                Readiness::NothingWritten
            }
            NodeState::Running(_) if node.arbiters.hung() > 0 => Readiness::ThreadHangs,
            NodeState::Running(_) => Readiness::Ready,
        })
    }

    /// How many responses are set aside, of this node and of others that share its database: they lost their node, and
    /// none can end them for now. Of those that the database knows of, at most 1,000 are counted.
    ///
    /// # Errors
    /// The database's.
    pub async fn responses_set_aside(&self) -> Result<usize, store::Error> {
        let node = self.node();
        let marked = node.store.responses.set_aside(MOST_COUNTED).await?.len();
        Ok(marked + node.unmarked_set_aside.load(Ordering::Relaxed))
    }

    /// Waits until the node can't go on, and says why. Pending for ever as long as it can. From then on every call is
    /// refused with [`Refusal::NodeFailed`]; a program drops such a node, and starts another or ends.
    pub async fn failed(&self) -> NodeFailure {
        let mut states = self.0.parts.state.clone();
        let failed = |state: &NodeState| matches!(state, NodeState::Failed(_));
        let failure = states.wait_for(failed).await.map(|state| state.clone());
        match failure {
            Ok(NodeState::Failed(failure)) => failure,
            Ok(NodeState::Starting | NodeState::Running(_)) | Err(_) => std::future::pending().await,
        }
    }

    /// How each provider is doing, by its name.
    #[must_use]
    pub fn providers(&self) -> BTreeMap<String, UpstreamHealth> {
        let now = self.node().clock.now();
        let health = |(name, upstream): (&String, &Upstream)| (name.clone(), upstream.control.health(now));
        self.node().upstreams.iter().map(health).collect()
    }

    /// How many logs were read and folded from their beginning, for readers and to settle responses.
    #[must_use]
    pub fn folds(&self) -> u64 {
        self.node().logs.folds()
    }

    /// The way to the journal writer, for its figures.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.node().journal
    }

    /// Who of the node's actors is alive.
    #[must_use]
    pub fn roster(&self) -> &Roster<Label> {
        &self.node().roster
    }

    pub(super) fn node(&self) -> &Node {
        &self.0.parts.node
    }

    /// Whether the node has a lease. Without one others may own its responses, and those that it takes now too.
    pub(super) fn has_lease(&self) -> bool {
        let node = self.node();
        node.ownership.lease(node.settings.lease) != LeaseState::Missing
    }

    pub(super) fn heartbeat(&self) -> &Heartbeat {
        &self.0.parts.heartbeat
    }

    pub(super) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// From now on no new response is taken.
    pub(super) fn begin_draining(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// The address of the node's dispatcher, which `start` starts where none runs.
    pub(super) fn dispatcher<A>(&self, start: impl FnOnce(&Node) -> Child<A>) -> Addr<A>
    where
        A: Actor<Context = Context<A>>,
    {
        let mut dispatcher = self.0.dispatcher.lock();
        let running = dispatcher.as_ref().and_then(|child| child.downcast_ref::<Child<A>>());
        if let Some(running) = running.filter(|running| running.addr().connected()) {
            return running.addr().clone();
        }
        let started = start(self.node());
        let addr = started.addr().clone();
        *dispatcher = Some(Box::new(started));
        addr
    }

    /// Asks the registry, and gives its answer with what `question` keeps beside the message. Where the registry is
    /// gone before it has answered, its successor is asked.
    ///
    /// # Errors
    /// Those of the answer; [`Refusal::NotResponding`] if there is none in that time, since a thread is blocked.
    pub(super) async fn ask<M, T, K>(
        &self,
        longest: Duration,
        question: impl Fn(oneshot::Sender<Result<T, Refusal>>) -> (M, K),
    ) -> Result<(T, K), Refusal>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        ResponseRegistry: Handler<M>,
    {
        loop {
            let (reply, answer) = oneshot::channel();
            let (message, kept) = question(reply);
            self.registry().await?.do_send(message);
            let answer = tokio::time::timeout(longest, self.answer(answer)).await;
            if let Some(answer) = answer.map_err(|_| Refusal::NotResponding)? {
                return answer.map(|answer| (answer, kept));
            }
            tokio::task::yield_now().await;
        }
    }

    /// What somebody answers; none if that is gone, or if the node can't go on and nobody will.
    pub(super) async fn answer<T>(&self, answer: oneshot::Receiver<T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = answer => answer.ok(),
            _failure = self.failed() => None,
        }
    }

    /// The registry, which is waited for while it is being started.
    pub(super) async fn registry(&self) -> Result<Addr<ResponseRegistry>, Refusal> {
        let mut states = self.0.parts.state.clone();
        let started = states.wait_for(|state| !matches!(state, NodeState::Starting));
        // It starts once the database has given it an epoch.
        let started = tokio::time::timeout(REGISTRY_PATIENCE, started).await;
        match started.map_err(|_| Refusal::DatabaseUnavailable)?.as_deref() {
            Ok(NodeState::Running(registry)) => Ok(registry.clone()),
            Ok(NodeState::Starting | NodeState::Failed(_)) | Err(_) => Err(Refusal::NodeFailed),
        }
    }
}
