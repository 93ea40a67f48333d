//! The provider side of a run: its slot, the breaker's pass, its prompt, and the reader of its stream.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, WrapFuture};
use futures_util::{FutureExt, StreamExt, stream};

use super::{
    ResponseSupervisor,
    supervisor::{SupervisedChild, exit_to},
    unstored_call::UnstoredCall,
};
use crate::actors::{
    ActorRole, Label,
    planning::rebuild_plan,
    provider_reader::{BatchTurn, Grant, ProviderMessage, ProviderReader},
    supervision::{Child, Exit, spawn},
    upstream::Upstream,
};
use crate::domain::{
    Attempt, AttemptKind, AttemptReport, Cause, Failure, Jitter, Prompt, ProviderEvent, RunEvent, RunPlan, SlotQueue,
    Target, Timeouts, ToolOffer,
};
use crate::fault::{self, FaultPoint};
use crate::provider::{CallToCancel, Error, GateRefusal, Pass, Permit, ProviderRequest, Ticket};

/// The slot or queue that a response starts from.
#[derive(Debug)]
pub(crate) enum AdmissionSlot {
    /// It waits in the queue of background responses until [`StartQueued`](super::StartQueued) starts it.
    Background,
    /// It has a slot at its first target, or waits for one.
    Gate(Ticket),
}

/// What a run holds for its provider.
#[derive(Debug)]
pub(super) struct ProviderLink {
    /// The slot, or the wait for one, that came with the admission.
    ticket: Option<Ticket>,
    /// The permit, shared with the reader, so that the slot becomes free when the provider's socket is closed, and
    /// not before.
    permit: Option<Arc<Permit>>,
    waiting: Option<SpawnHandle>,
    pass: Option<Pass>,
    /// The prompt without the response's output; none until it is known.
    base_prompt: Option<Arc<Prompt>>,
    building: Option<SpawnHandle>,
    reader: Option<ActiveReader>,
    /// The call under way, if the response is not stored.
    unstored_call: UnstoredCall,
    /// How many readers were started.
    readers: u64,
}

/// The running reader.
#[derive(Debug)]
struct ActiveReader {
    number: u64,
    attempt: Attempt,
    target: usize,
    child: Child<ProviderReader>,
}

/// How a reader begins.
#[derive(Debug)]
pub(super) enum ReaderStart {
    /// It makes a new call.
    Open,
    /// It reattaches to the call of that id.
    Reattach(String),
}

impl ProviderLink {
    pub(super) fn new(slot: AdmissionSlot, base_prompt: Option<Arc<Prompt>>) -> Self {
        let ticket = match slot {
            AdmissionSlot::Background => None,
            AdmissionSlot::Gate(ticket) => Some(ticket),
        };
        Self {
            ticket,
            permit: None,
            waiting: None,
            pass: None,
            base_prompt,
            building: None,
            reader: None,
            unstored_call: UnstoredCall::default(),
            readers: 0,
        }
    }

    pub(super) fn beat(&mut self, missed_beats: u32) {
        let _beat = self.reader.as_mut().map(|reader| reader.child.beat(missed_beats));
    }

    pub(super) fn grant(&self, bytes: usize) {
        if let Some(reader) = self.reader.as_ref().filter(|_| bytes > 0) {
            reader.child.addr().do_send(Grant(bytes));
        }
    }

    /// The run is over, and so are all calls of providers, as far as it knows.
    pub(super) fn calls_are_over(&mut self) {
        self.unstored_call.over();
    }

    /// Closes the provider's socket.
    pub(super) fn stop_reading(&mut self) {
        self.reader = None;
    }
}

impl ResponseSupervisor {
    fn upstream(&self, target: usize) -> Option<&Upstream> {
        self.plan.targets.get(target).and_then(|target| self.node.upstreams.get(&target.provider))
    }

    /// The name of the provider that was called last, for the log.
    pub(super) fn provider_name(&self) -> &str {
        let target = self.provider.reader.as_ref().map_or(0, |reader| reader.target);
        self.plan.targets.get(target).map_or("", |target| &target.provider)
    }

    /// Builds the prompt of a turn: history, input, and all output so far.
    pub(super) fn build_prompt(&mut self, turn: u16, tools: ToolOffer, ctx: &mut Context<Self>) -> Option<RunEvent> {
        if let Some(base) = &self.provider.base_prompt {
            self.plan.prompt = Arc::new(base.continued(self.run.transcript().items(), tools));
            return Some(RunEvent::PromptBuilt { targets: None });
        }
        tracing::debug!(turn, "a prompt is built from what is stored");
        let planned = rebuild_plan(Arc::clone(&self.node), self.plan.clone()).into_actor(self);
        let planned = planned.map(move |planned, supervisor, ctx| {
            let event = match planned {
                Ok(plan) => supervisor.planned(plan, tools),
                Err(cause) => RunEvent::PromptFailed { cause },
            };
            supervisor.feed(event, ctx);
        });
        self.provider.building = Some(ctx.spawn(planned));
        None
    }

    fn planned(&mut self, plan: RunPlan, tools: ToolOffer) -> RunEvent {
        let base = Arc::clone(&plan.prompt);
        self.plan = plan;
        self.plan.prompt = Arc::new(base.continued(self.run.transcript().items(), tools));
        self.provider.base_prompt = Some(base);
        RunEvent::PromptBuilt { targets: Some(self.node.run_targets(&self.plan.targets)) }
    }

    pub(super) fn stop_building_prompt(&mut self, ctx: &mut Context<Self>) {
        if let Some(building) = self.provider.building.take() {
            ctx.cancel_future(building);
        }
    }

    pub(super) fn drop_prompt(&mut self) {
        self.plan.prompt = Arc::default();
        self.provider.base_prompt = None;
    }

    pub(super) fn request_slot(
        &mut self,
        target: usize,
        queue: SlotQueue,
        patience: Option<Duration>,
        ctx: &mut Context<Self>,
    ) -> Option<RunEvent> {
        let Some(Upstream { control, .. }) = self.upstream(target).cloned() else {
            return Some(RunEvent::ProviderUnknown);
        };
        let ticket = match (self.provider.ticket.take(), queue) {
            (Some(ticket), SlotQueue::Bounded | SlotQueue::Unbounded) => ticket,
            (None, SlotQueue::Unbounded) => control.line_up(&self.plan.caller),
            (None, SlotQueue::Bounded) => match control.enter(&self.plan.caller) {
                Ok(ticket) => ticket,
                Err(GateRefusal::QueueFull | GateRefusal::KeyBusy) => return Some(RunEvent::SlotRefused),
            },
        };
        if ticket.is_granted() {
            return Some(self.slot_answered(ticket.granted().now_or_never()));
        }
        let patience = patience.unwrap_or(Duration::MAX);
        let granted = async move { tokio::time::timeout(patience, ticket.granted()).await.ok() };
        let granted = granted.into_actor(self).map(|permit, supervisor, ctx| {
            let event = supervisor.slot_answered(permit);
            supervisor.feed(event, ctx);
        });
        self.provider.waiting = Some(ctx.spawn(granted));
        None
    }

    fn slot_answered(&mut self, permit: Option<Permit>) -> RunEvent {
        self.provider.waiting = None;
        let Some(permit) = permit else { return RunEvent::SlotTimedOut };
        self.provider.permit = Some(Arc::new(permit));
        RunEvent::SlotGranted
    }

    pub(super) fn release_slot(&mut self, ctx: &mut Context<Self>) {
        if let Some(waiting) = self.provider.waiting.take() {
            ctx.cancel_future(waiting);
        }
        (self.provider.ticket, self.provider.permit) = (None, None);
    }

    pub(super) fn admit_attempt(&mut self, target: usize, kind: AttemptKind) -> RunEvent {
        let Some(Upstream { control, .. }) = self.upstream(target) else { return RunEvent::ProviderUnknown };
        let now = self.node.clock.now();
        let pass = match kind {
            AttemptKind::First => control.admit(now),
            AttemptKind::Retry => control.readmit(now),
        };
        match pass {
            Ok(pass) => {
                self.provider.pass = Some(pass);
                RunEvent::AttemptAdmitted
            }
            Err(open) => RunEvent::AttemptRefused { retry_after: open.retry_after },
        }
    }

    pub(super) fn report_attempt(&mut self, report: AttemptReport) {
        if report == AttemptReport::Answered {
            if let Some(pass) = &mut self.provider.pass {
                pass.answered();
            }
            return;
        }
        let Some(pass) = self.provider.pass.take() else { return };
        match report {
            AttemptReport::Succeeded => pass.succeeded(),
            AttemptReport::Failed(cause) => pass.failed(cause, self.node.clock.now()),
            AttemptReport::Answered | AttemptReport::GivenUp => drop(pass),
        }
    }

    pub(super) fn spend_retry(&self, target: usize) -> RunEvent {
        let now = self.node.clock.now();
        let allowed = self.upstream(target).is_some_and(|upstream| upstream.control.may_retry(now));
        if allowed { RunEvent::RetryAllowed } else { RunEvent::RetryDenied }
    }

    /// Calls the provider, or reattaches to one of its calls. The attempt's opening is durable by now.
    pub(super) fn start_reader(
        &mut self,
        attempt: Attempt,
        target: usize,
        start: ReaderStart,
        ctx: &mut Context<Self>,
    ) -> Option<RunEvent> {
        let provider = self.upstream(target).map(|upstream| Arc::clone(&upstream.provider));
        let (Some(provider), Some(permit)) = (provider, self.provider.permit.clone()) else {
            return Some(self.ended(attempt, target, Failure::new(Cause::InternalError, None, None)));
        };
        let request = self.provider_request(target);
        let (credit, parent) = (self.node.settings.credit_bytes, ctx.address().recipient());
        let build = move |_: &mut Context<_>| {
            let said = match start {
                ReaderStart::Open => provider.open(request),
                ReaderStart::Reattach(id) => match provider.reattachment() {
                    Some(reattachment) => reattachment.reattach(request, id),
                    // The configuration has changed since the call was made.
                    None => stream::iter([Err(Error::Closed)]).boxed_local(),
                },
            };
            // The slot is released with the socket: the stream is dropped first.
            let batches = said.inspect(move |_| {
                let _held = &permit;
            });
            ProviderReader::new(attempt, batches.boxed_local(), credit, parent)
        };
        self.provider.readers += 1;
        let number = self.provider.readers;
        let label = Label::of(ActorRole::ProviderReader, self.plan.id);
        let child = spawn(&self.node.roster, label, build, exit_to(ctx, SupervisedChild::Reader(number)));
        self.provider.reader = Some(ActiveReader { number, attempt, target, child });
        None
    }

    fn provider_request(&self, target: usize) -> ProviderRequest {
        let RunPlan { request_id, request, prompt, targets, .. } = &self.plan;
        ProviderRequest {
            request_id: request_id.clone(),
            request: Arc::clone(request),
            prompt: Arc::clone(prompt),
            target: targets.get(target).cloned().unwrap_or_else(|| Target::new("", "")),
        }
    }

    fn timeouts(&self, target: usize) -> Timeouts {
        self.plan.targets.get(target).map(|target| target.timeouts).unwrap_or_default()
    }

    /// Keeps what is needed to end the call of a response that is not stored.
    fn note_unstored_call(&mut self, target: usize, events: &[ProviderEvent]) {
        let Some(provider) = self.upstream(target).map(|upstream| Arc::clone(&upstream.provider)) else { return };
        let told = (self.plan.request_id.as_str(), self.timeouts(target));
        self.provider.unstored_call.heard(&provider, told, events);
    }

    /// Has the provider end its work on a call.
    pub(super) fn cancel_at_provider(&mut self, target: usize, provider_response_id: String) {
        self.provider.unstored_call.over();
        let timeouts = self.timeouts(target);
        if let Some(reattachment) = self.upstream(target).and_then(|upstream| upstream.provider.reattachment()) {
            let request_id = self.plan.request_id.clone();
            reattachment.cancel(CallToCancel { request_id, provider_response_id, timeouts });
        }
    }

    fn ended(&self, attempt: Attempt, target: usize, failure: Failure) -> RunEvent {
        let jitter = self.upstream(target).map_or(Jitter::LEAST, |upstream| upstream.control.jitter());
        RunEvent::ProviderEnded { attempt, failure, jitter }
    }

    /// The target of the reader of this attempt; none if it was stopped. Messages that a reader sent before it was
    /// stopped may still arrive.
    fn reading(&self, attempt: Attempt) -> Option<usize> {
        self.provider.reader.as_ref().filter(|reader| reader.attempt == attempt).map(|reader| reader.target)
    }

    fn read(
        &mut self,
        attempt: Attempt,
        events: Vec<ProviderEvent>,
        (cost, turn): (usize, Option<BatchTurn>),
        ctx: &mut Context<Self>,
    ) {
        let Some(target) = self.reading(attempt) else { return };
        if !self.plan.request.store {
            self.note_unstored_call(target, &events);
        }
        if events.iter().any(|event| matches!(event, ProviderEvent::Opened { .. })) {
            fault::reach(FaultPoint::OpenedHeard);
        }
        self.feed(RunEvent::ProviderSaid { attempt, events }, ctx);
        fault::reach(FaultPoint::FactsRecorded);
        self.commits.spend_credit(cost, turn);
        // Events that add no fact need no commit: their credit must be returned here.
        self.give_credit();
    }

    fn call_ended(&mut self, attempt: Attempt, result: Result<(), Error>, ctx: &mut Context<Self>) {
        let Some(target) = self.reading(attempt) else { return };
        let error = result.err().unwrap_or(Error::Closed);
        if !self.run.transcript().has_finished(attempt) {
            let (code, param) = error.words_for_logs();
            let provider = self.provider_name();
            tracing::warn!(error = %error, provider, provider.code = code, provider.param = param, "a provider failed");
        }
        let event = self.ended(attempt, target, error.failure());
        self.feed(event, ctx);
    }

    pub(super) fn reader_exited(&mut self, number: u64, exit: &Exit, ctx: &mut Context<Self>) {
        let Some(ActiveReader { attempt, target, .. }) = self.provider.reader.as_ref().filter(|it| it.number == number)
        else {
            return;
        };
        let (attempt, target) = (*attempt, *target);
        tracing::error!(child = %ActorRole::ProviderReader, exit = %exit, "a child ended before its work was done");
        let event = self.ended(attempt, target, Failure::new(Cause::InternalError, None, None));
        self.feed(event, ctx);
    }
}

impl Handler<ProviderMessage> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, message: ProviderMessage, ctx: &mut Self::Context) {
        match message {
            ProviderMessage::Events { attempt, events, cost, turn } => {
                self.read(attempt, events, (cost, turn), ctx);
            }
            ProviderMessage::Ended { attempt, result, turn } => {
                self.call_ended(attempt, result, ctx);
                self.commits.spend_credit(0, turn);
            }
        }
    }
}
