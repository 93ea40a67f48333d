//! The actor: what it holds, how it begins, its heartbeat.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient};
use tokio::{sync::oneshot, time::Instant};

use super::{
    attempts::{AdmissionSlot, Tries},
    children::Children,
    commands::CancelReply,
    readers::Clients,
    takeover::Leftover,
};
use crate::actors::{
    client_emitter::{FrameBuffer, Memory, Past},
    client_stream::{ClientSink, ResponseOutcome},
    node::Node,
    persistence_accumulator::{SharedWriteBuffer, WriteBuffer},
    restarts,
    success_promise::SuccessPromise,
    supervision::{Ping, RestartBudget},
};
use crate::domain::{Fact, Frame, OutputAllowance, Request, RunPlan, Transcript};
use crate::journal::Log;
use crate::protocol::{ResponseId, Status};
use crate::provider;
use crate::refusal::Refusal;
use crate::store::ResponseRow;
use crate::vault::ResponseKey;

/// Where a supervisor is in its work.
#[derive(Debug)]
pub(super) enum Stage {
    /// The response is not durable yet; who asked for it waits.
    Admitting(oneshot::Sender<Result<(), Refusal>>),
    /// It is durable, and a provider works or is to work on it.
    Running,
    /// The ending is decided and not durable yet.
    Settling,
    /// The ending is durable; clients may still read.
    Over(Arc<ResponseOutcome>),
}

/// All that a supervisor starts from.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) node: Arc<Node>,
    pub(crate) epoch: i64,
    pub(crate) plan: RunPlan,
    /// The response's key; none if it is not stored.
    pub(crate) key: Option<ResponseKey>,
    pub(crate) origin: RunOrigin,
    pub(crate) registry: Recipient<RunFact>,
}

/// Where a run comes from.
#[derive(Debug)]
pub(crate) enum RunOrigin {
    /// A client asks for it now.
    Asked {
        /// What it starts from.
        slot: AdmissionSlot,
        /// The client.
        client: ClientSink,
        /// Told once the response is durable, or refused.
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    /// An earlier process left it behind.
    Left(Box<Leftover>),
}

/// How far a supervisor is. Sent to the registry.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum RunFact {
    /// Nothing is asked of providers any more: its turn is over.
    TurnOver(ResponseId),
    /// Its work is done: the ending is durable and nobody reads any more. Sent before the supervisor stops; one
    /// that ends without it has failed.
    Concluded(ResponseId),
    /// Its work here is done, and whoever has the record next goes on with it. Sent before the supervisor stops.
    HandedOver(ResponseId),
}

/// Runs one response.
///
/// It folds what its reader reads, has the accumulator make it durable, and shows what is durable to its
/// emitters: folded, committed, emitted, in that order. It alone decides the ending, by the fold.
///
/// In: facts of its children, [`CancelRun`](super::CancelRun), [`JoinRun`](super::JoinRun).
/// Out: the replies, [`RunFact`]s. Ends: when the ending is durable and read, or ownership is lost; if it
/// ends in any other way the registry settles the response from its log.
pub(crate) struct ResponseSupervisor {
    pub(super) node: Arc<Node>,
    pub(super) plan: RunPlan,
    pub(super) registry: Recipient<RunFact>,
    pub(super) stage: Stage,
    pub(super) transcript: Transcript,
    pub(super) allowance: OutputAllowance,
    pub(super) write_buffer: SharedWriteBuffer,
    pub(super) frame_buffer: Rc<RefCell<FrameBuffer>>,
    /// Where clients find events that have left the frame_buffer. None if nobody can come to the response later.
    pub(super) past: Option<Past>,
    /// Encoded events that are not durable yet, with the number of facts that they need.
    pub(super) unstored_frames: VecDeque<(u64, Frame)>,
    /// Credits to give back once so many facts are durable.
    pub(super) unstored_credit: VecDeque<(u64, usize)>,
    /// How many facts are durable.
    pub(super) stored_facts: u64,
    /// Since when nothing became durable though something should.
    pub(super) waiting_since: Option<Instant>,
    pub(super) children: Children,
    pub(super) tries: Tries,
    pub(super) restarts: RestartBudget,
    pub(super) readers: Clients,
    pub(super) first_client: Option<ClientSink>,
    /// Nothing more is read: how the response ends is decided, if not durable.
    pub(super) decided: bool,
    /// What settled the ending, until it is folded together with the end itself.
    pub(super) last_facts: Vec<Fact>,
    pub(super) opened: bool,
    pub(super) success_promise: SuccessPromise,
    pub(super) provider_error: Option<provider::Error>,
    /// When it is worth coming back, where no provider was asked.
    pub(super) retry_after: Option<Duration>,
    pub(super) cancels: Vec<CancelReply>,
}

impl ResponseSupervisor {
    pub(crate) fn new(start: Start) -> Self {
        let Start { node, epoch, plan, key, origin, registry } = start;
        match origin {
            RunOrigin::Asked { slot, client, reply } => {
                let write_buffer =
                    WriteBuffer::new((row(&node, epoch, &plan), plan.input.clone(), plan.idempotency), key.clone());
                Self {
                    first_client: Some(client),
                    tries: Tries::new(slot, plan.targets.len()),
                    ..Self::with(node, plan, key, (write_buffer, Stage::Admitting(reply)), registry)
                }
            }
            RunOrigin::Left(leftover) => {
                let facts = leftover.transcript.facts();
                let write_buffer = WriteBuffer::resume((plan.id, epoch), key.clone(), (facts, leftover.last_segment));
                Self::with(node, plan, key, (write_buffer, Stage::Running), registry).taking_over(*leftover)
            }
        }
    }

    fn with(
        node: Arc<Node>,
        plan: RunPlan,
        key: Option<ResponseKey>,
        (write_buffer, stage): (WriteBuffer, Stage),
        registry: Recipient<RunFact>,
    ) -> Self {
        Self {
            transcript: Transcript::new(plan.id),
            allowance: OutputAllowance::new(node.settings.max_output_bytes),
            write_buffer: Rc::new(RefCell::new(write_buffer)),
            frame_buffer: Rc::new(RefCell::new(FrameBuffer::new(node.settings.frame_buffer_bytes, plan.request.store))),
            past: past(&node, &plan, key),
            unstored_frames: VecDeque::new(),
            unstored_credit: VecDeque::new(),
            stored_facts: 0,
            waiting_since: None,
            children: Children::default(),
            tries: Tries::new(AdmissionSlot::Turn, plan.targets.len()),
            restarts: restarts::accumulator(),
            readers: Clients::default(),
            first_client: None,
            decided: false,
            last_facts: Vec::new(),
            opened: false,
            success_promise: SuccessPromise::default(),
            provider_error: None,
            retry_after: None,
            cancels: Vec::new(),
            stage,
            registry,
            plan,
            node,
        }
    }

    pub(super) fn is_stored(&self) -> bool {
        self.plan.request.store
    }

    /// Whether the ending is still open.
    pub(super) fn is_undecided(&self) -> bool {
        !self.decided
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        self.children.beat(self.node.settings.missed_beats());
        self.readers.beat(self.node.settings.missed_beats());
        self.check_patience(ctx);
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }

    /// Stops once the ending is durable and no client needs this actor any more.
    pub(super) fn leave_when_done(&self, ctx: &mut Context<Self>) {
        let done = matches!(self.stage, Stage::Over(_)) && self.readers.are_served(self.is_stored());
        if done {
            self.registry.do_send(RunFact::Concluded(self.plan.id));
            ctx.stop();
        }
    }
}

fn past(node: &Node, plan: &RunPlan, key: Option<ResponseKey>) -> Option<Past> {
    match key {
        Some(key) => Some(Past::Log(Log::new(Arc::clone(&node.store.responses), key, plan.id))),
        None => plan.idempotency.is_some().then(|| Past::Memory(Rc::new(RefCell::new(Memory::default())))),
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
        model: request.model.clone(),
        stored: request.store,
        background: request.background,
        previous: request.previous_response_id,
        fold_version: crate::domain::FOLD_VERSION,
        prompt_tokens: i64::from(plan.prompt_tokens),
        created_at: node.clock.now(),
        ended_at: None,
    }
}

impl Actor for ResponseSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if matches!(self.stage, Stage::Admitting(_)) {
            self.accept(ctx);
        } else {
            self.take_over(ctx);
        }
        self.start_accumulator(ctx);
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }
}

impl ResponseSupervisor {
    /// Records that the response is accepted, with the first steps of its work.
    fn accept(&mut self, ctx: &mut Context<Self>) {
        let at = self.node.clock.now();
        let RunPlan { id, request, .. } = &self.plan;
        let accepted = Fact::Accepted { id: *id, at, request: Box::new(Request::clone(request)) };
        let run_policy = Fact::RunPolicySet { run_policy: Box::new(self.plan.run_policy()) };
        if let Some(client) = self.first_client.take() {
            self.client(client, ctx);
        }
        self.record([accepted, run_policy], ctx);
        self.start_trying(ctx);
    }
}

impl Handler<Ping> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}
