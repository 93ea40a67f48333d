//! The actor.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::oneshot;

use super::{
    Drain, StartResponse,
    reading::Replays,
    recovery::recover,
    settle::{Reason, settle},
};
use crate::actors::{
    node::Node,
    response_supervisor::{AdmitError, ResponseSupervisor, RunFact, Start, StopRun, TakeTurn},
    supervision::{Beat, Child, Exit, Label, Ping, Role, spawn_on},
};
use crate::domain::BackgroundLine;
use crate::protocol::ResponseId;

/// Knows the running responses of a node: starts their supervisors, finds them for commands, settles what
/// they leave behind, and serves clients of responses that have ended.
///
/// In: the commands of this module. Out: their replies. Ends: never by itself; its successor settles all
/// that ran under it.
pub(crate) struct ResponseRegistry {
    pub(super) node: Arc<Node>,
    pub(super) epoch: i64,
    pub(super) running: HashMap<ResponseId, Child<ResponseSupervisor>>,
    /// Those whose supervisor failed under this registry and that have no ending yet. What else is without an
    /// ending was left behind by an earlier epoch, also when the recovery has claimed it already.
    pub(super) orphans: HashSet<ResponseId>,
    /// Whose turn it is among the background responses.
    line: BackgroundLine,
    pub(super) replays: Replays,
    draining: bool,
    drained: Vec<oneshot::Sender<()>>,
}

/// A supervisor ended. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct SupervisorExited {
    id: ResponseId,
    exit: Exit,
}

impl ResponseRegistry {
    pub(crate) fn new(node: Arc<Node>, epoch: i64) -> Self {
        Self {
            line: BackgroundLine::new(node.settings.background),
            node,
            epoch,
            running: HashMap::new(),
            orphans: HashSet::new(),
            replays: Replays::default(),
            draining: false,
            drained: Vec::new(),
        }
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let most = self.node.settings.missed_beats;
        let missed = |beat| match beat {
            Beat::Alive => false,
            Beat::Missed(missed) => missed >= most,
        };
        let beats = self.running.iter_mut().map(|(id, child)| (*id, child.beat()));
        let hung: Vec<_> = beats.filter_map(|(id, beat)| missed(beat).then_some(id)).collect();
        for id in hung {
            // Not waited for: where the whole arbiter hangs no notice comes.
            self.supervisor_failed(id, &Exit::Hung, ctx);
        }
        self.replays.beat(missed);
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }

    fn supervisor_failed(&mut self, id: ResponseId, exit: &Exit, ctx: &mut Context<Self>) {
        let Some(child) = self.running.remove(&id) else { return };
        child.kill(exit.clone());
        self.turn_over(id);
        tracing::error!(response.id = %id, child = %Role::ResponseSupervisor, exit = ?exit, "a supervisor failed");
        self.orphans.insert(id);
        let settled = settle(Arc::clone(&self.node), self.epoch, id, Reason::SupervisorFailed);
        ctx.spawn(settled.into_actor(self).map(move |(), registry, _| {
            registry.orphans.remove(&id);
            registry.report_drained();
        }));
    }

    /// A background response has had its turn, or will have none.
    fn turn_over(&mut self, id: ResponseId) {
        self.line.leave(id);
        self.give_turns();
    }

    fn give_turns(&mut self) {
        while let Some(id) = self.line.begin_next() {
            if let Some(child) = self.running.get(&id) {
                child.addr().do_send(TakeTurn);
            }
        }
    }

    fn report_drained(&mut self) {
        if self.running.is_empty() && self.orphans.is_empty() {
            for reply in self.drained.drain(..) {
                let _left = reply.send(());
            }
        }
    }
}

impl Actor for ResponseRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(recover(Arc::clone(&self.node), self.epoch).into_actor(self));
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }
}

impl Handler<StartResponse> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, start: StartResponse, ctx: &mut Self::Context) {
        let StartResponse { plan, key, place, seat, reply } = start;
        let (id, request_id) = (plan.id, plan.request_id.clone());
        let arbiter = self.node.arbiters.of(id).filter(|_| !self.draining);
        let Some(arbiter) = arbiter else {
            let _left = reply.send(Err(AdmitError::Draining));
            return;
        };
        if self.running.contains_key(&id) {
            let _left = reply.send(Err(AdmitError::Failed));
            return;
        }
        let background = plan.request.background;
        if background && !self.line.join(id, plan.user) {
            let _left = reply.send(Err(AdmitError::QueueFull));
            return;
        }
        let (node, registry, epoch) = (Arc::clone(&self.node), ctx.address(), self.epoch);
        let start = Start { node, epoch, plan, key, place, seat, reply, registry: registry.clone().recipient() };
        let span = tracing::info_span!("response", response.id = %id, request_id);
        let label = Label::of(Role::ResponseSupervisor, id);
        let exit = move |exit| registry.do_send(SupervisorExited { id, exit });
        let build = move |_: &mut Context<_>| ResponseSupervisor::new(start);
        let child = spawn_on(arbiter, &self.node.roster, (label, span), build, exit);
        self.running.insert(id, child);
        if background {
            self.give_turns();
        }
    }
}

impl Handler<Drain> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, Drain { now, reply }: Drain, _: &mut Self::Context) {
        self.draining = true;
        if now {
            self.running.values().for_each(|child| child.addr().do_send(StopRun));
        }
        self.drained.push(reply);
        self.report_drained();
    }
}

impl Handler<RunFact> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, fact: RunFact, _: &mut Self::Context) {
        match fact {
            RunFact::TurnOver(id) => self.turn_over(id),
            RunFact::Concluded(id) => {
                self.running.remove(&id);
                self.report_drained();
            }
        }
    }
}

impl Handler<SupervisorExited> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, SupervisorExited { id, exit }: SupervisorExited, ctx: &mut Self::Context) {
        self.supervisor_failed(id, &exit, ctx);
    }
}

impl Handler<Ping> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}
