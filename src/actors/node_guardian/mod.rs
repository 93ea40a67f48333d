//! Starts the actors of a node, restarts them when they end, and reports when restarts no longer help.

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::{sync::watch, time::Instant};

use super::{
    ActorRole, Label,
    journal_writer::JournalWriter,
    node::Node,
    registry::ResponseRegistry,
    restarts,
    supervision::{Child, Exit, Restart, RestartBudget, spawn},
};

/// The state of the node, for everything that needs its registry.
#[derive(Debug, Clone)]
pub(crate) enum NodeState {
    /// The registry is being started.
    Starting,
    /// This registry runs.
    Running(Addr<ResponseRegistry>),
    /// The node can't go on.
    Failed(NodeFailure),
}

impl NodeState {
    /// Publishes the next state. A failed node stays failed.
    pub(crate) fn tell(sender: &watch::Sender<Self>, next: Self) {
        sender.send_if_modified(|state| {
            let goes_on = !matches!(state, Self::Failed(_));
            if goes_on {
                *state = next;
            }
            goes_on
        });
    }
}

/// Why a node can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFailure {
    /// The journal writer ended too often.
    #[error("the journal writer ended three times within a minute")]
    JournalWriter,
    /// The registry ended too often.
    #[error("the registry of responses ended five times within a minute")]
    Registry,
    /// The guardian itself ended.
    #[error("the guardian of the node ended")]
    Guardian,
    /// The arbiter of the node's own actors does not respond.
    #[error("the thread of the node's own actors hangs")]
    Hung,
    /// Another process has taken an epoch under the node's name.
    #[error("another process serves under this node's name")]
    Superseded,
    /// The thread that renews the node's lease ended.
    #[error("the thread that renews the node's lease ended")]
    Lease,
    /// A thread did not respond for two leases, without which the lease is not renewed: other nodes own the node's
    /// responses.
    #[error("a thread hangs, and for that the node has lost its lease for good")]
    LeaseLost,
}

/// Supervises the journal writer and the registry of a node. A new registry takes a new epoch and settles all
/// responses that ran under the old one.
///
/// In: the endings of its children. Out: the node's state. Ends: when a child ended too often, or the node has failed
/// in another way.
pub(crate) struct NodeGuardian {
    node: Arc<Node>,
    state: watch::Sender<NodeState>,
    writer: Option<Child<JournalWriter>>,
    registry: Option<Child<ResponseRegistry>>,
    writer_restarts: RestartBudget,
    registry_restarts: RestartBudget,
}

/// A child ended. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct NodeChildExited {
    role: ActorRole,
    exit: Exit,
}

impl NodeGuardian {
    pub(crate) fn new(node: Arc<Node>, state: watch::Sender<NodeState>) -> Self {
        Self {
            node,
            state,
            writer: None,
            registry: None,
            writer_restarts: restarts::journal_writer(),
            registry_restarts: restarts::registry(),
        }
    }

    fn start_writer(&mut self, ctx: &Context<Self>) {
        let (group_commit, journal) = (Arc::clone(&self.node.store.group_commit), self.node.journal.clone());
        let groups = self.node.settings.groups;
        let build = move |_: &mut Context<_>| JournalWriter::new(group_commit, journal, groups);
        let label = Label::node(ActorRole::JournalWriter);
        let child = spawn(&self.node.roster, label, build, exit_to(ctx, ActorRole::JournalWriter));
        self.node.journal.attach(child.addr().clone());
        self.writer = Some(child);
    }

    fn take_epoch(&self, ctx: &mut Context<Self>) {
        let node = Arc::clone(&self.node);
        node.ownership.leave();
        let began = Instant::now();
        let epoch = async move { node.store.nodes.next_epoch(&node.name, node.settings.lease).await };
        ctx.spawn(epoch.into_actor(self).map(move |epoch, guardian, ctx| match epoch {
            Ok(epoch) => {
                guardian.node.ownership.enter(epoch, began, guardian.node.settings.lease);
                guardian.start_registry(epoch, ctx);
            }
            Err(error) => {
                tracing::warn!(error = %error, "the start waits for the database");
                ctx.run_later(guardian.node.settings.heartbeat, |guardian, ctx| guardian.take_epoch(ctx));
            }
        }));
    }

    fn start_registry(&mut self, epoch: i64, ctx: &Context<Self>) {
        let node = Arc::clone(&self.node);
        let build = move |_: &mut Context<_>| ResponseRegistry::new(node, epoch);
        let label = Label::node(ActorRole::ResponseRegistry);
        let child = spawn(&self.node.roster, label, build, exit_to(ctx, ActorRole::ResponseRegistry));
        tracing::info!(epoch, "the registry of responses is at work");
        NodeState::tell(&self.state, NodeState::Running(child.addr().clone()));
        self.registry = Some(child);
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        if matches!(*self.state.borrow(), NodeState::Failed(_)) {
            // The failure was found elsewhere and is published already.
            return ctx.stop();
        }
        let most = self.node.settings.missed_beats();
        // A child that hangs is killed; its ending is reported like any other.
        let _writer = self.writer.as_mut().map(|child| child.beat(most));
        let _registry = self.registry.as_mut().map(|child| child.beat(most));
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }

    fn give_up(&mut self, failure: NodeFailure, ctx: &mut Context<Self>) {
        tracing::error!(failure = %failure, "the node can't go on");
        NodeState::tell(&self.state, NodeState::Failed(failure));
        ctx.stop();
    }
}

fn exit_to(ctx: &Context<NodeGuardian>, role: ActorRole) -> impl FnOnce(Exit) + Send + 'static {
    let guardian = ctx.address();
    move |exit| guardian.do_send(NodeChildExited { role, exit })
}

impl Actor for NodeGuardian {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.start_writer(ctx);
        self.take_epoch(ctx);
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }
}

impl Handler<NodeChildExited> for NodeGuardian {
    type Result = ();

    fn handle(&mut self, NodeChildExited { role, exit }: NodeChildExited, ctx: &mut Self::Context) {
        tracing::error!(child = %role, exit = %exit, "a child of the node ended");
        let now = Instant::now();
        if role == ActorRole::JournalWriter {
            self.writer = None;
            match self.writer_restarts.spend(now) {
                Restart::Again => self.start_writer(ctx),
                Restart::GiveUp => self.give_up(NodeFailure::JournalWriter, ctx),
            }
        } else {
            self.registry = None;
            NodeState::tell(&self.state, NodeState::Starting);
            match self.registry_restarts.spend(now) {
                Restart::Again => self.take_epoch(ctx),
                Restart::GiveUp => self.give_up(NodeFailure::Registry, ctx),
            }
        }
    }
}
