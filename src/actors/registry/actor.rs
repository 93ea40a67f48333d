//! The registry actor.

use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message, WrapFuture};
use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

use super::{
    Begin, Drain, Withdraw,
    idempotency_expiry::expire,
    reading::Replays,
    recovered::{ResumableRun, ResumedStart},
    recovery::Recoveries,
    running::{RunningSupervisor, RunningSupervisors},
    sweep::sweep,
    user_deletion::{end_responses_of_deleted_users, finish_abandoned_deletions},
};
use crate::actors::{
    ActorRole, Label,
    node::Node,
    response_supervisor::{
        LeaveQueue, ResponseSupervisor, RunMilestone, RunOrigin, RunReport, StartQueued, StopRun, SupervisorStart,
    },
    success_promise::SuccessPromise,
    supervision::{ActorIdentity, Child, Exit, Liveness, Ping, spawn_on},
};
use crate::domain::{BackgroundLine, RunPlan, SettleReason};
use crate::protocol::ResponseId;
use crate::refusal::Refusal;
use crate::vault::ResponseKey;

/// Keeps the running responses of a node: starts their supervisors, finds them for commands, recovers responses that
/// lost their supervisor, and serves clients of responses that have ended.
///
/// In: the commands of this module. Out: their replies. Ends: never by itself; its successor settles all responses
/// that ran under it.
pub(crate) struct ResponseRegistry {
    pub(super) node: Arc<Node>,
    pub(super) epoch: i64,
    pub(super) running: RunningSupervisors<Child<ResponseSupervisor>>,
    /// The responses that lost their owner: a supervisor of this registry or an earlier process.
    pub(super) recoveries: Recoveries,
    /// The background responses that run and those that wait.
    line: BackgroundLine,
    pub(super) replays: Replays,
    pub(super) draining: bool,
    drained: Vec<oneshot::Sender<()>>,
}

/// A run that gets a supervisor.
struct SupervisedRun {
    plan: RunPlan,
    /// The response's key; none if it is not stored.
    key: Option<ResponseKey>,
    origin: RunOrigin,
}

/// A supervisor ended. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct SupervisorExited {
    id: ResponseId,
    number: u64,
    exit: Exit,
}

impl ResponseRegistry {
    pub(crate) fn new(node: Arc<Node>, epoch: i64) -> Self {
        Self {
            line: BackgroundLine::new(&node.settings),
            node,
            epoch,
            running: RunningSupervisors::default(),
            recoveries: Recoveries::default(),
            replays: Replays::default(),
            draining: false,
            drained: Vec::new(),
        }
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let most = self.node.settings.missed_beats();
        let beats = self.running.iter_mut().map(|(id, child)| (id, child.beat(most)));
        let hung: Vec<_> = beats.filter_map(|(id, found)| (found == Liveness::Hung).then_some(id)).collect();
        for id in hung {
            // Done without waiting for the child's exit: if its whole arbiter hangs, no exit is reported.
            self.supervisor_failed(id, &Exit::Hung, ctx);
        }
        self.replays.beat(most);
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }

    pub(super) fn supervisor_failed(&mut self, id: ResponseId, exit: &Exit, ctx: &mut Context<Self>) {
        let Some(RunningSupervisor { promise, .. }) = self.running.remove(id) else { return };
        // From here on no client is told of a success, unless one was.
        let reason = match promise.is_some_and(|promise| promise.fail()) {
            true => SettleReason::FailedUnannounced,
            false => SettleReason::SupervisorFailed,
        };
        self.settle_failed(id, reason, exit, ctx);
    }

    fn settle_failed(&mut self, id: ResponseId, reason: SettleReason, exit: &Exit, ctx: &mut Context<Self>) {
        self.release_background_slot(id);
        tracing::error!(response.id = %id, child = %ActorRole::ResponseSupervisor, exit = %exit, "a supervisor failed");
        self.recover(id, reason, ctx);
    }

    /// Releases the slot of a background response that makes no more provider calls.
    fn release_background_slot(&mut self, id: ResponseId) {
        self.line.leave(id);
        self.start_queued();
    }

    /// Starts the background responses that are next in the line.
    pub(super) fn start_queued(&mut self) {
        if self.recoveries.has_swept() {
            self.line.open();
        }
        if self.draining {
            return;
        }
        while let Some(id) = self.line.begin_next() {
            if let Some(child) = self.running.get(&id) {
                child.addr().do_send(StartQueued);
            }
        }
    }

    pub(super) fn report_drained(&mut self) {
        if self.running.is_empty() && !self.recoveries.has_orphans() {
            for reply in self.drained.drain(..) {
                let _left = reply.send(());
            }
        }
    }
}

impl Actor for ResponseRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let wanted = Arc::clone(&self.recoveries.sweep_wanted);
        ctx.spawn(sweep(Arc::clone(&self.node), self.epoch, ctx.address(), wanted).into_actor(self));
        ctx.spawn(expire(Arc::clone(&self.node)).into_actor(self));
        ctx.spawn(end_responses_of_deleted_users(Arc::clone(&self.node), ctx.address()).into_actor(self));
        ctx.spawn(finish_abandoned_deletions(Arc::clone(&self.node)).into_actor(self));
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }
}

impl Handler<Begin> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, start: Begin, ctx: &mut Self::Context) {
        let Begin { plan, key, slot, client, reply } = start;
        let id = plan.id;
        if self.draining {
            let _left = reply.send(Err(Refusal::Draining));
            return;
        }
        let Some(arbiter) = self.node.arbiters.of(id).cloned() else {
            let _left = reply.send(Err(Refusal::NotResponding));
            return;
        };
        if self.running.contains_key(&id) {
            let _left = reply.send(Err(Refusal::Internal));
            return;
        }
        let background = plan.request.background;
        if background && !self.line.join(id, plan.user) {
            let _left = reply.send(Err(Refusal::QueueFull));
            return;
        }
        let run = SupervisedRun { plan, key, origin: RunOrigin::Requested { slot, client, reply } };
        self.supervise(&arbiter, run, ctx);
        if background {
            self.start_queued();
        }
    }
}

impl ResponseRegistry {
    fn supervise(&mut self, arbiter: &ArbiterHandle, run: SupervisedRun, ctx: &Context<Self>) {
        let SupervisedRun { plan, key, origin } = run;
        let (id, registry) = (plan.id, ctx.address());
        let (number, promise) = (self.running.next_number(), SuccessPromise::default());
        let is_new = matches!(origin, RunOrigin::Requested { .. });
        let span = tracing::info_span!("response", response.id = %id, request_id = plan.request_id);
        let start = SupervisorStart {
            node: Arc::clone(&self.node),
            epoch: self.epoch,
            plan,
            key,
            origin,
            promise: promise.clone(),
            number,
            registry: registry.clone().recipient(),
        };
        let identity = ActorIdentity { label: Label::of(ActorRole::ResponseSupervisor, id), span };
        let exit = move |exit| registry.do_send(SupervisorExited { id, number, exit });
        let build = move |_: &mut Context<_>| ResponseSupervisor::new(start);
        let child = spawn_on(arbiter, &self.node.roster, identity, build, exit);
        self.running.insert(id, RunningSupervisor { number, child, promise: is_new.then_some(promise) });
    }

    /// Resumes a response that an earlier process left. It is queued by its age, even if the queue is full.
    pub(super) fn resume(&mut self, run: ResumableRun, arbiter: &ArbiterHandle, ctx: &Context<Self>) {
        let ResumableRun { plan, key, orphan, start } = run;
        let (id, user, background) = (plan.id, plan.user, plan.request.background);
        let run = SupervisedRun { plan, key: Some(key), origin: RunOrigin::Orphaned(Box::new(orphan)) };
        self.supervise(arbiter, run, ctx);
        match (background, start) {
            (true, ResumedStart::UnderWay) => self.line.go_on(id, user),
            (true, ResumedStart::Queued) => self.line.rejoin(id, user),
            (false, ResumedStart::UnderWay | ResumedStart::Queued) => {}
        }
        self.start_queued();
    }
}

impl Handler<Drain> for ResponseRegistry {
    type Result = usize;

    fn handle(&mut self, Drain { now, reply }: Drain, _: &mut Self::Context) -> usize {
        self.draining = true;
        let running = self.running.len();
        for child in self.running.children() {
            if now {
                child.addr().do_send(StopRun);
            } else {
                child.addr().do_send(LeaveQueue);
            }
        }
        self.drained.push(reply);
        self.report_drained();
        running
    }
}

impl Handler<Withdraw> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, Withdraw { id }: Withdraw, ctx: &mut Self::Context) {
        if self.running.remove(id).is_some() {
            // Its caller is told to try again, whatever the response was about to tell him.
            self.settle_failed(id, SettleReason::FailedUnannounced, &Exit::Hung, ctx);
        }
    }
}

impl Handler<RunReport> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, RunReport { id, number, milestone }: RunReport, _: &mut Self::Context) {
        if !self.running.is_run_by(id, number) {
            return;
        }
        match milestone {
            RunMilestone::BackgroundSlotReleased => self.release_background_slot(id),
            RunMilestone::Concluded | RunMilestone::HandedOver => {
                self.running.remove(id);
                self.report_drained();
            }
        }
    }
}

impl Handler<SupervisorExited> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, SupervisorExited { id, number, exit }: SupervisorExited, ctx: &mut Self::Context) {
        if self.running.is_run_by(id, number) {
            self.supervisor_failed(id, &exit, ctx);
        }
    }
}

impl Handler<Ping> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}
