//! The handle.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix::Addr;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tracing::Span;

use super::{Builder, Dispatcher};
use crate::actors::{
    AdmissionSlot, Begin, Cancel, ClientStream, Delete, DeliveryMode, Drain, Heartbeat, Join, Journal, Label, Node,
    NodeFailure, NodeGuardian, NodeState, ResponseOutcome, ResponseRegistry, Role, Subscription, Upstream,
    client_channel, load, open_item,
    supervision::{ActorIdentity, Child, Roster, spawn_on},
};
use crate::admission::Admission;
use crate::domain::{RunPlan, View, Violation};
use crate::protocol::{Item, ItemId, Response, ResponseId, UserId};
use crate::provider::{GateRefusal, UpstreamHealth};
use crate::refusal::Refusal;
use crate::store::{self, ItemQuery, ItemSide, SortOrder, Store};
use crate::vault::{self, Vault};

/// How long a request waits for a registry that is being started again.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(5);

/// How long clients may read what was ended while draining.
const LAST_READS: Duration = Duration::from_secs(5);

/// A running node. Cheap to clone; when the last handle is dropped all that it started ends, and what was
/// running is settled by the next start under the same name.
///
/// Every method may be called from any tokio runtime, and dropping its future loses no command: what was asked
/// for happens all the same.
#[derive(Debug, Clone)]
pub struct Antiphon(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    // Dropped first: everything the node runs dies from here.
    _guardian: Child<NodeGuardian>,
    heartbeat: Heartbeat,
    state: watch::Receiver<NodeState>,
    node: Arc<Node>,
    admission: Arc<Admission>,
    /// Started when its address is first asked for.
    dispatcher: Mutex<Option<Child<Dispatcher>>>,
    // Here and not in the registry alone, whose successor would not know.
    draining: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without waiting for whoever still shares the node: a thread that somebody blocks is the only one to stay.
        self.node.arbiters.stop();
    }
}

impl Antiphon {
    /// Puts a node together.
    #[must_use]
    pub fn builder(store: impl Into<Store>, vault: Vault) -> Builder {
        Builder::new(store.into(), vault)
    }

    pub(super) fn new(
        node: Arc<Node>,
        admission: Arc<Admission>,
        (guardian, heartbeat): (Child<NodeGuardian>, Heartbeat),
        state: watch::Receiver<NodeState>,
    ) -> Self {
        let draining = AtomicBool::new(false);
        Self(Arc::new(Inner {
            _guardian: guardian,
            heartbeat,
            state,
            node,
            admission,
            dispatcher: Mutex::default(),
            draining,
        }))
    }

    /// What makes plans of requests, with the models and limits that the builder was told.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.0.admission
    }

    /// Where other actors send [`StartResponse`](super::StartResponse), [`CancelResponse`](super::CancelResponse) and
    /// [`ReadFacts`](super::ReadFacts). Having it does not keep the node alive; a message that is being answered does.
    #[must_use]
    pub fn addr(&self) -> Addr<Dispatcher> {
        let mut dispatcher = self.0.dispatcher.lock();
        if let Some(running) = dispatcher.as_ref().filter(|running| running.addr().connected()) {
            return running.addr().clone();
        }
        let (node, own) = (self.downgrade(), &self.0.node);
        let started = spawn_on(
            // Parts of the embedder's run there; what serves the whole node must not wait for them.
            own.arbiters.of(Role::Dispatcher).unwrap_or_else(|| own.arbiters.root()),
            &own.roster,
            ActorIdentity { label: Label::node(Role::Dispatcher), span: Span::none() },
            move |_| Dispatcher::new(node),
            |exit| tracing::debug!(exit = ?exit, "the dispatcher ended"),
        );
        dispatcher.insert(started).addr().clone()
    }

    /// Goes on with a reader of that user's whose next event is number `from`.
    pub(super) fn subscription(&self, user: UserId, reader: ClientStream, from: u64) -> Subscription {
        let (antiphon, id) = (self.clone(), reader.id);
        let resume = move |mode| {
            let antiphon = antiphon.clone();
            async move { antiphon.resume(user, id, mode).await }
        };
        Subscription::new(reader, (View::default(), from), resume)
    }

    /// Admits a response and starts it. Returns once it is durable; from then on it reaches its end whatever
    /// the caller does.
    ///
    /// # Errors
    /// If it could not be admitted: then there is no such response, or it will be settled as failed.
    pub async fn respond(&self, mut plan: RunPlan, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        let node = &self.0.node;
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        if node.journal.is_away() {
            return Err(Refusal::DatabaseUnavailable);
        }
        self.leave_out_the_unable(&mut plan)?;
        let key = match plan.request.store {
            true => Some(node.vault.user_key(plan.user).await.map_err(admit_error)?.response_key(plan.id)),
            false => None,
        };
        let (client, reader) = client_channel(plan.id, mode, node.settings.emission_buffer);
        let (reply, told) = oneshot::channel();
        let registry = self.registry().await?;
        let slot = if plan.request.background { AdmissionSlot::Background } else { self.enter_gate(&mut plan)? };
        registry.do_send(Begin { plan, key, slot, client, reply });
        self.answer(told).await.unwrap_or(Err(Refusal::Internal)).map(|()| reader)
    }

    pub(super) fn node(&self) -> &Node {
        &self.0.node
    }

    /// Takes the targets out of the plan whose provider can't honour a parameter of the request.
    fn leave_out_the_unable(&self, plan: &mut RunPlan) -> Result<(), Refusal> {
        let refused = self.0.node.keep_able(&mut plan.targets, &plan.request);
        match refused.filter(|_| plan.targets.is_empty()) {
            Some(param) => Err(Violation::unsupported(param).into()),
            None => Ok(()),
        }
    }

    /// A place at the first of the targets that takes one more; those before it are not asked.
    fn enter_gate(&self, plan: &mut RunPlan) -> Result<AdmissionSlot, Refusal> {
        let mut refused = Refusal::Internal;
        for (slot, target) in plan.targets.iter().enumerate() {
            let upstream = self.0.node.upstreams.get(&target.provider).ok_or(Refusal::Internal)?;
            match upstream.control.enter(&plan.caller) {
                Ok(ticket) => {
                    plan.targets.drain(..slot);
                    return Ok(AdmissionSlot::Gate(ticket));
                }
                Err(full @ GateRefusal::QueueFull) => refused = full.into(),
                // Another model is no way around a limit on the caller.
                Err(busy @ GateRefusal::KeyBusy) => return Err(busy.into()),
            }
        }
        Err(refused)
    }

    /// Reads a stored response of that user, running or long ended.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn subscribe(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        self.join(user, id, mode, false).await
    }

    /// Goes on for a client that had a [`ClientStream`] of the response and lost it through no fault of its own.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn resume(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        self.join(user, id, mode, true).await
    }

    async fn join(
        &self,
        user: UserId,
        id: ResponseId,
        mode: DeliveryMode,
        returning: bool,
    ) -> Result<ClientStream, Refusal> {
        loop {
            let (client, reader) = client_channel(id, mode, self.0.node.settings.emission_buffer);
            let (reply, told) = oneshot::channel();
            let registry = self.registry().await?;
            registry.do_send(Join { user, id, returning, client, span: Span::current(), reply });
            // Without an answer whoever had the question is gone, and another will know.
            if let Some(answer) = self.answer(told).await {
                return answer.map(|()| reader);
            }
            tokio::task::yield_now().await;
        }
    }

    /// A stored response as of now.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn retrieve(&self, user: UserId, id: ResponseId) -> Result<Response, Refusal> {
        let transcript = load(&self.0.node, user, id).await?;
        transcript.response().map(|response| *response).ok_or(Refusal::Internal)
    }

    /// Cancels a response of that user. Returns once its ending is durable.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn cancel(&self, user: UserId, id: ResponseId) -> Result<Arc<ResponseOutcome>, Refusal> {
        loop {
            let (reply, told) = oneshot::channel();
            let registry = self.registry().await?;
            registry.do_send(Cancel { user, id, span: Span::current(), reply });
            if let Some(answer) = self.answer(told).await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Cancels a stored response of that user if it runs, and deletes all of it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn delete(&self, user: UserId, id: ResponseId) -> Result<(), Refusal> {
        loop {
            let (reply, told) = oneshot::channel();
            let registry = self.registry().await?;
            registry.do_send(Delete { user, id, span: Span::current(), reply });
            if let Some(answer) = self.answer(told).await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    }

    /// A page of the items that were the input of a stored response, and whether there are more. None if the
    /// cursor names no item of it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn input_items(
        &self,
        user: UserId,
        id: ResponseId,
        (order, after, limit): (SortOrder, Option<ItemId>, u32),
    ) -> Result<Option<(Vec<Item>, bool)>, Refusal> {
        let found = crate::actors::find(&self.0.node, user, id).await?;
        let query = ItemQuery { response: id, side: ItemSide::Input, order, after, limit };
        let page = match self.0.node.store.responses.items(query).await {
            Err(store::Error::UnknownCursor) => return Ok(None),
            page => page?,
        };
        let items = page.items.iter().map(|item| open_item(found.log.key(), item)).collect::<Result<_, _>>()?;
        Ok(Some((items, page.has_more)))
    }

    /// Whether new responses can be taken: the node does not [`drain`](Self::drain), the database answers and takes
    /// what is written, the registry and all threads work.
    ///
    /// # Errors
    /// The database's.
    pub async fn ready(&self) -> Result<bool, store::Error> {
        self.0.node.store.group_commit.ping().await?;
        let arbiters = self.0.node.arbiters.hung() == 0;
        let journal = !self.0.node.journal.is_away();
        Ok(journal && arbiters && !self.is_draining() && matches!(*self.0.state.borrow(), NodeState::Running(_)))
    }

    /// Takes no new responses from now on, waits until those that run have ended and are read, and after
    /// `patience` ends the rest as interrupted. Clients then have a few seconds to read how it ended. In the end
    /// the node's lease is given up: other nodes on its database settle at once what could not be ended here.
    pub async fn drain(&self, patience: Duration) {
        self.0.draining.store(true, Ordering::Relaxed);
        if tokio::time::timeout(patience, self.drained(false)).await.is_err() {
            // Who still reads after that can read the rest from the record.
            let _all_read = tokio::time::timeout(LAST_READS, self.drained(true)).await;
        }
        if tokio::time::timeout(LAST_READS, self.0.heartbeat.give_up()).await.is_err() {
            tracing::warn!("the node's lease is not given up yet: the database does not answer");
        }
    }

    fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    async fn drained(&self, now: bool) {
        let (reply, told) = oneshot::channel();
        if let Ok(registry) = self.registry().await {
            registry.do_send(Drain { now, reply });
            // Without an answer the registry is gone, and what ran is settled by its successor.
            let _gone = told.await;
        }
    }

    /// What somebody answers; none if that is gone, or if the node can't go on and nobody will.
    async fn answer<T>(&self, told: oneshot::Receiver<T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = told => answer.ok(),
            _failure = self.failed() => None,
        }
    }

    /// Waits until the node can't go on, and says why. Pending for ever as long as it can. From then on every call is
    /// refused with [`Refusal::NodeFailed`]; a program drops such a node, and starts another or ends.
    pub async fn failed(&self) -> NodeFailure {
        let mut states = self.0.state.clone();
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
        let now = self.0.node.clock.now();
        let health = |(name, upstream): (&String, &Upstream)| (name.clone(), upstream.control.health(now));
        self.0.node.upstreams.iter().map(health).collect()
    }

    /// The way to the journal writer, for its figures.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.0.node.journal
    }

    /// Who of the node's actors is alive.
    #[must_use]
    pub fn roster(&self) -> &Roster<Label> {
        &self.0.node.roster
    }

    /// The registry, which is waited for while it is being started.
    async fn registry(&self) -> Result<Addr<ResponseRegistry>, Refusal> {
        let mut states = self.0.state.clone();
        let started = states.wait_for(|state| !matches!(state, NodeState::Starting));
        // It starts once the database has given it an epoch.
        let started = tokio::time::timeout(REGISTRY_PATIENCE, started).await;
        match started.map_err(|_| Refusal::DatabaseUnavailable)?.as_deref() {
            Ok(NodeState::Running(registry)) => Ok(registry.clone()),
            Ok(NodeState::Starting | NodeState::Failed(_)) | Err(_) => Err(Refusal::NodeFailed),
        }
    }
}

/// Why a response can't be admitted without its user's key. A user who is gone counts as a fault of whoever asks for it.
pub(super) fn admit_error(error: vault::Error) -> Refusal {
    let refusal = Refusal::from(error);
    if refusal == Refusal::NotFound { Refusal::Internal } else { refusal }
}
