//! The supervisor actor: its state, its start, and the events that it feeds to its run.

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle};
use tokio::{sync::oneshot, time::Instant};

use super::{
    clients::Clients,
    commands::CancelReply,
    commits::{Commits, past},
    provider::{AdmissionSlot, ProviderLink},
};
use crate::actors::{
    ActorRole, Label,
    client_stream::{ClientSink, ResponseOutcome},
    node::Node,
    persistence_accumulator::{
        AcceptedResponse, LogEnd, PersistenceAccumulator, ResponseOwner, StoreFact, WriteBuffer,
    },
    restarts,
    success_promise::SuccessPromise,
    supervision::{Child, Exit, Ping, Restart, RestartBudget, spawn},
};
use crate::domain::{
    AdmissionFailure, ClientId, Disowned, Fact, ResumedRun, Run, RunEvent, RunLimits, RunPhase, RunPlan, RunSetup,
    StoreEvent, Timer, Transcript,
};
use crate::fault::{self, FaultPoint};
use crate::protocol::{ResponseId, Status};
use crate::refusal::Refusal;
use crate::store::{Conflict, ResponseRow};
use crate::vault::ResponseKey;

/// Everything that a supervisor starts from.
#[derive(Debug)]
pub(crate) struct SupervisorStart {
    pub(crate) node: Arc<Node>,
    pub(crate) epoch: i64,
    pub(crate) plan: RunPlan,
    /// The response's key; none if it is not stored.
    pub(crate) key: Option<ResponseKey>,
    pub(crate) origin: RunOrigin,
    /// What its clients are told.
    pub(crate) promise: SuccessPromise,
    /// Its number among the supervisors of the registry.
    pub(crate) number: u64,
    pub(crate) registry: Recipient<RunReport>,
}

/// Where a run comes from.
#[derive(Debug)]
pub(crate) enum RunOrigin {
    /// A client has requested it now.
    Requested {
        /// The slot or queue that it starts from.
        slot: AdmissionSlot,
        /// The client.
        client: ClientSink,
        /// Answered once the response is durable, or refused.
        reply: AdmissionReply,
    },
    /// An earlier process left it behind.
    Orphaned(Box<OrphanedRun>),
}

/// The channel to the caller that waits for the admission.
pub(super) type AdmissionReply = oneshot::Sender<Result<(), Refusal>>;

/// What an earlier process left behind of a response.
#[derive(Debug)]
pub(crate) struct OrphanedRun {
    /// The fold of its log.
    pub(crate) transcript: Transcript,
    /// Where the last segment of its log begins.
    pub(crate) last_segment: u64,
    /// The facts that its providers reported, as far as the log has them.
    pub(crate) said: Vec<Fact>,
}

/// What a supervisor reports to the registry.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RunReport {
    pub(crate) id: ResponseId,
    /// The number of the supervisor.
    pub(crate) number: u64,
    pub(crate) milestone: RunMilestone,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunMilestone {
    /// It makes no more provider calls: another background response may begin.
    BackgroundSlotReleased,
    /// Its work is done: the ending is durable and no client reads any more. Reported before the supervisor stops; a
    /// supervisor that ends without a report has failed.
    Concluded,
    /// Its work here is done, and the next owner of the response resumes it. Reported before the supervisor stops.
    HandedOver,
}

/// Starts a background response that waits in the queue. Sent by the registry.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StartQueued;

/// Runs one response.
///
/// It turns messages, timers and the endings of its children into events of its [`Run`], which decides, and performs
/// the effects that the run returns: facts are folded, committed and emitted, in that order.
///
/// In: messages of its children, [`CancelRun`](super::CancelRun), [`JoinRun`](super::JoinRun).
/// Out: the replies, [`RunReport`]s. Ends: when the run says so; if it ends in any other way the registry settles the
/// response from its log.
pub(crate) struct ResponseSupervisor {
    pub(super) node: Arc<Node>,
    pub(super) plan: RunPlan,
    number: u64,
    registry: Recipient<RunReport>,
    pub(super) run: Run,
    pub(super) commits: Commits,
    pub(super) provider: ProviderLink,
    pub(super) clients: Clients,
    pub(super) accumulator: Option<Child<PersistenceAccumulator>>,
    restarts: RestartBudget,
    pub(super) timers: BTreeMap<Timer, SpawnHandle>,
    pub(super) promise: SuccessPromise,
    /// The client that asked for the response, until its events can be emitted.
    first_client: Option<ClientSink>,
    /// The caller that waits for the admission.
    pub(super) admission: Option<AdmissionReply>,
    /// The callers that wait for the response to be cancelled.
    pub(super) cancels: Vec<CancelReply>,
    /// How the response ended, once that is durable.
    pub(super) outcome: Option<Arc<ResponseOutcome>>,
}

/// A child of a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SupervisedChild {
    /// The reader of that number.
    Reader(u64),
    Accumulator,
    Emitter(ClientId),
}

/// A child ended. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct ChildExited {
    child: SupervisedChild,
    exit: Exit,
}

impl ResponseSupervisor {
    pub(crate) fn new(start: SupervisorStart) -> Self {
        let SupervisorStart { node, epoch, plan, key, origin, promise, number, registry } = start;
        let setup = setup(&node, &plan);
        let past = past(&node, &plan, key.clone());
        let prompt = Arc::clone(&plan.prompt);
        let (run, write_buffer, provider, first_client, admission) = match origin {
            RunOrigin::Requested { slot, client, reply } => {
                let (row, input) = (row(&node, epoch, &plan), plan.input.clone());
                let accepted = AcceptedResponse { row, input, idempotency: plan.idempotency };
                let provider = ProviderLink::new(slot, Some(prompt));
                (Run::new(setup), WriteBuffer::new(accepted, key), provider, Some(client), Some(reply))
            }
            RunOrigin::Orphaned(orphan) => {
                let OrphanedRun { transcript, last_segment, said } = *orphan;
                let owner = ResponseOwner { id: plan.id, epoch };
                let log_end = LogEnd { facts: transcript.facts(), last_segment };
                let write_buffer = WriteBuffer::resume(owner, key, log_end);
                let run = Run::resume(setup, ResumedRun { transcript, said });
                (run, write_buffer, ProviderLink::new(AdmissionSlot::Background, None), None, None)
            }
        };
        Self {
            commits: Commits::new(&node.settings, write_buffer, past, run.transcript()),
            provider,
            clients: Clients::default(),
            accumulator: None,
            restarts: restarts::accumulator(),
            timers: BTreeMap::new(),
            promise,
            first_client,
            admission,
            cancels: Vec::new(),
            outcome: None,
            run,
            number,
            registry,
            plan,
            node,
        }
    }

    /// Tells the registry how far the run has come.
    pub(super) fn report(&self, milestone: RunMilestone) {
        self.registry.do_send(RunReport { id: self.plan.id, number: self.number, milestone });
    }

    /// Feeds an event to the run and performs its effects. An event that an effect returns at once is fed next.
    pub(super) fn feed(&mut self, event: RunEvent, ctx: &mut Context<Self>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.run.handle(self.node.clock.now(), event) {
                // A fact that could not be recorded stops the actor, and nothing that relies on it may follow.
                if ctx.state().stopping() {
                    return;
                }
                events.extend(self.perform(effect, ctx));
            }
        }
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let missed_beats = self.node.settings.missed_beats();
        self.provider.beat(missed_beats);
        let _accumulator = self.accumulator.as_mut().map(|child| child.beat(missed_beats));
        self.clients.beat(missed_beats);
        if let Some(waited) = self.commits.waited() {
            self.feed(RunEvent::Store(StoreEvent::Silent { waited }), ctx);
        }
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }

    fn start_accumulator(&mut self, ctx: &Context<Self>) {
        let (write_buffer, journal) = (Rc::clone(&self.commits.write_buffer), self.node.journal.clone());
        let parent = ctx.address().recipient();
        let label = Label::of(ActorRole::PersistenceAccumulator, self.plan.id);
        let build = move |_: &mut Context<_>| PersistenceAccumulator::new(write_buffer, journal, parent);
        let child = spawn(&self.node.roster, label, build, exit_to(ctx, SupervisedChild::Accumulator));
        self.accumulator = Some(child);
    }

    fn accumulator_exited(&mut self, exit: &Exit, ctx: &mut Context<Self>) {
        if self.run.phase() == RunPhase::Ended {
            return;
        }
        tracing::error!(child = %ActorRole::PersistenceAccumulator, exit = %exit, "a child ended before its work was done");
        match self.restarts.spend(Instant::now()) {
            Restart::Again => self.start_accumulator(ctx),
            // Without an accumulator this actor can't end the response; the registry can.
            Restart::GiveUp => ctx.stop(),
        }
    }
}

fn setup(node: &Node, plan: &RunPlan) -> RunSetup {
    let settings = &node.settings;
    RunSetup {
        id: plan.id,
        request: Arc::clone(&plan.request),
        policy: plan.run_policy(),
        limits: RunLimits {
            admission_patience: settings.admission_wait(),
            outage_patience: settings.outage_patience,
            max_output_bytes: settings.max_output_bytes,
            max_output_parts: settings.max_output_parts,
        },
        targets: node.run_targets(&plan.targets),
        claims_key: plan.idempotency.is_some(),
        can_rebuild_prompt: !node.models.is_empty(),
    }
}

fn row(node: &Node, epoch: i64, plan: &RunPlan) -> ResponseRow {
    let request = &plan.request;
    ResponseRow {
        id: plan.id,
        user: plan.user,
        node: node.name.clone(),
        epoch,
        status: if request.background { Status::Queued } else { Status::InProgress },
        cause: None,
        finish_reason: None,
        model: node.models.plain_name(&request.model).to_owned(),
        stored: request.store,
        background: request.background,
        previous: request.previous_response_id,
        fold_version: crate::domain::FOLD_VERSION,
        prompt_tokens: i64::from(plan.prompt_tokens),
        created_at: node.clock.now(),
        ended_at: None,
    }
}

/// Reports a child's ending to the supervisor, after all messages that the child had sent.
pub(super) fn exit_to(ctx: &Context<ResponseSupervisor>, child: SupervisedChild) -> impl FnOnce(Exit) + Send + 'static {
    let supervisor = ctx.address();
    move |exit| supervisor.do_send(ChildExited { child, exit })
}

impl Actor for ResponseSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(client) = self.first_client.take() {
            self.join_client(client, ctx);
        }
        self.feed(RunEvent::Started, ctx);
        self.start_accumulator(ctx);
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }
}

impl Handler<ChildExited> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, ChildExited { child, exit }: ChildExited, ctx: &mut Self::Context) {
        match child {
            SupervisedChild::Reader(number) => self.reader_exited(number, &exit, ctx),
            SupervisedChild::Accumulator => self.accumulator_exited(&exit, ctx),
            SupervisedChild::Emitter(client) => self.emitter_exited(client, ctx),
        }
    }
}

const fn not_admitted(failure: AdmissionFailure) -> StoreEvent {
    StoreEvent::OwnershipLost(Disowned::NotAdmitted(failure))
}

impl Handler<StoreFact> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, fact: StoreFact, ctx: &mut Self::Context) {
        let event = match fact {
            StoreFact::Admitted { facts } => {
                fault::reach(FaultPoint::AdmissionAcknowledged);
                StoreEvent::Admitted { facts }
            }
            StoreFact::Stored { facts } => {
                fault::reach(FaultPoint::SegmentAcknowledged);
                StoreEvent::Stored { facts }
            }
            StoreFact::Ended => {
                fault::reach(FaultPoint::EndingAcknowledged);
                StoreEvent::EndingStored
            }
            StoreFact::OwnershipLost(Conflict::KeyTaken) => not_admitted(AdmissionFailure::KeyTaken),
            StoreFact::OwnershipLost(Conflict::PreviousMissing) => not_admitted(AdmissionFailure::PreviousMissing),
            StoreFact::OwnershipLost(Conflict::UserDeleted) => not_admitted(AdmissionFailure::UserDeleted),
            StoreFact::OwnershipLost(Conflict::Missing) => {
                tracing::warn!("the response was deleted while it ran");
                StoreEvent::OwnershipLost(Disowned::Deleted)
            }
            StoreFact::OwnershipLost(conflict) => {
                tracing::warn!(conflict = %conflict, "another owner has the response");
                StoreEvent::OwnershipLost(Disowned::OtherOwner)
            }
            StoreFact::Refused => StoreEvent::Refused,
        };
        self.feed(RunEvent::Store(event), ctx);
    }
}

impl Handler<StartQueued> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, _: StartQueued, ctx: &mut Self::Context) {
        self.feed(RunEvent::BackgroundSlotGranted, ctx);
    }
}

impl Handler<Ping> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}
