//! Getting a provider to work on the response: its turn, a place at the provider, and one attempt after another.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};
use futures_util::FutureExt;

use super::{
    ResponseSupervisor,
    retelling::{AnotherStory, Heard, Retelling},
    supervisor::Stage,
};
use crate::actors::upstream::Upstream;
use crate::domain::{Attempt, Attempts, Cause, Fact, Failure, LostCall, Next, ProviderEvent, Target};
use crate::fault::{self, FaultPoint};
use crate::provider::{Error, GateRefusal, HandOver, Pass, Permit, Ticket};

/// When it is worth coming back to a provider that is busy.
const BUSY: Duration = Duration::from_secs(1);

/// Where a response starts from.
#[derive(Debug)]
pub(crate) enum AdmissionSlot {
    /// It waits for its turn among the background responses of the node: [`TakeTurn`] gives it.
    Turn,
    /// It has a place at its first target, or waits for one.
    Gate(Ticket),
}

/// It is a background response's turn. Sent by the registry.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct TakeTurn;

/// What the response waits for before its provider works, or that it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Its turn.
    Turn,
    /// Its prompt.
    Planning,
    /// A place at the provider.
    AdmissionSlot,
    /// The end of a pause before another attempt.
    Pause,
    /// That so many facts are durable, an attempt's opening the last of them.
    Opening { facts: u64 },
    /// Nothing: the provider works.
    Reading,
}

/// The attempts of a response, and what the current one holds.
#[derive(Debug)]
pub(super) struct Tries {
    pub(super) step: Step,
    /// None until the response is started.
    start: Option<AdmissionSlot>,
    tried: Attempts,
    /// The next attempt asks a target again.
    retries: bool,
    /// The latest attempt, once there is one.
    pub(super) attempt: Option<Attempt>,
    /// The call that is to be listened to again.
    pub(super) lost: Option<LostCall>,
    /// The call began in another process: it is listened to, and nothing is asked again.
    pub(super) taken_over: bool,
    /// How often it was since anything new was heard.
    pub(super) reattached: u32,
    /// What was heard of the attempt; kept where it can be listened to again.
    pub(super) heard: Option<Heard>,
    pub(super) retelling: Option<Retelling>,
    /// How many facts there were when the provider's id of its call became one of them.
    pub(super) traceable_from: Option<u64>,
    /// What dropping the reader means to the provider.
    pub(super) hand_over: HandOver,
    /// Shared with the reader, so that the place is free when the provider's socket is closed, and not before.
    permit: Option<Arc<Permit>>,
    pass: Option<Pass>,
    pub(super) waiting: Option<SpawnHandle>,
    pub(super) deadline: Option<SpawnHandle>,
}

impl Tries {
    pub(super) fn new(start: AdmissionSlot, targets: usize) -> Self {
        Self {
            step: Step::Turn,
            start: Some(start),
            tried: Attempts::at(targets),
            retries: false,
            attempt: None,
            lost: None,
            taken_over: false,
            reattached: 0,
            heard: None,
            retelling: None,
            traceable_from: None,
            hand_over: HandOver::default(),
            permit: None,
            pass: None,
            waiting: None,
            deadline: None,
        }
    }

    /// The attempt whose provider works now.
    pub(super) fn reading(&self) -> Option<Attempt> {
        self.attempt.filter(|_| self.step == Step::Reading)
    }

    /// There are that many targets.
    pub(super) fn aim_at(&mut self, targets: usize) {
        self.tried = Attempts::at(targets);
    }

    /// The place at the provider.
    pub(super) fn permit(&self) -> Option<Arc<Permit>> {
        self.permit.clone()
    }

    /// The event if it was not heard before.
    ///
    /// # Errors
    /// If the provider tells its call differently from the first time.
    pub(super) fn unheard(&mut self, event: ProviderEvent) -> Result<Option<ProviderEvent>, AnotherStory> {
        match &mut self.retelling {
            Some(retelling) => retelling.take(event),
            None => Ok(Some(event)),
        }
    }

    /// Whether the provider repeats what was heard before.
    pub(super) fn is_replaying(&self) -> bool {
        self.retelling.as_ref().is_some_and(Retelling::is_replaying)
    }

    /// The provider answered with a success.
    pub(super) fn answered(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.answered();
        }
    }
}

impl ResponseSupervisor {
    /// Takes the first steps. What can be had at once is recorded together with the response itself.
    pub(super) fn start_trying(&mut self, ctx: &mut Context<Self>) {
        match self.tries.start.take() {
            Some(AdmissionSlot::Gate(ticket)) => self.await_place(ticket, ctx),
            Some(AdmissionSlot::Turn) | None => {}
        }
    }

    /// The target that is asked now.
    pub(super) fn target(&self) -> Option<&Target> {
        self.plan.targets.get(self.tries.tried.target())
    }

    /// The name of the provider that is asked now.
    pub(super) fn provider(&self) -> &str {
        self.target().map_or("", |target| &target.provider)
    }

    pub(super) fn upstream(&self) -> Option<Upstream> {
        self.node.upstreams.get(self.provider()).cloned()
    }

    pub(super) fn enter_gate(&mut self, ctx: &mut Context<Self>) {
        let Some(upstream) = self.upstream() else { return self.fail(Cause::InternalError, ctx) };
        if self.plan.request.background {
            // It was accepted to wait, and those that wait like this are bounded by their turns.
            return self.await_place(upstream.control.line_up(&self.plan.caller), ctx);
        }
        match upstream.control.enter(&self.plan.caller) {
            Ok(ticket) => self.await_place(ticket, ctx),
            Err(GateRefusal::QueueFull | GateRefusal::KeyBusy) => {
                self.not_asked(Failure::not_asked(Cause::QueueTimeout, Some(BUSY)), ctx);
            }
        }
    }

    pub(super) fn await_place(&mut self, ticket: Ticket, ctx: &mut Context<Self>) {
        self.tries.step = Step::AdmissionSlot;
        if ticket.is_granted() {
            let permit = ticket.granted().now_or_never();
            return self.place_granted(permit, ctx);
        }
        // A background response has nobody who waits with it.
        let patience = self.upstream().map(|upstream| upstream.queue_timeout);
        let patience = patience.filter(|_| !self.plan.request.background).unwrap_or(Duration::MAX);
        let granted = async move { tokio::time::timeout(patience, ticket.granted()).await.ok() };
        let granted = granted.into_actor(self).map(|permit, supervisor, ctx| supervisor.place_granted(permit, ctx));
        self.tries.waiting = Some(ctx.spawn(granted));
    }

    fn place_granted(&mut self, permit: Option<Permit>, ctx: &mut Context<Self>) {
        if !self.is_undecided() {
            return;
        }
        let Some(permit) = permit else {
            if self.tries.lost.is_some() {
                return self.interrupt(ctx);
            }
            return self.not_asked(Failure::not_asked(Cause::QueueTimeout, Some(BUSY)), ctx);
        };
        self.tries.permit = Some(Arc::new(permit));
        if self.tries.lost.is_some() { self.listen_again(ctx) } else { self.open_attempt(ctx) }
    }

    /// Records that the provider is about to be asked. It is asked once that is durable.
    fn open_attempt(&mut self, ctx: &mut Context<Self>) {
        let (Some(upstream), Some(target)) = (self.upstream(), self.target().cloned()) else {
            return self.fail(Cause::InternalError, ctx);
        };
        let now = self.node.clock.now();
        let pass = if std::mem::take(&mut self.tries.retries) {
            upstream.control.readmit(now)
        } else {
            upstream.control.admit(now)
        };
        match pass {
            Ok(pass) => self.tries.pass = Some(pass),
            Err(open) => {
                return self.not_asked(Failure::not_asked(Cause::ProviderCircuitOpen, Some(open.retry_after)), ctx);
            }
        }
        let attempt = Attempt { number: self.tries.tried.open(), ..Attempt::FIRST };
        self.tries.attempt = Some(attempt);
        let Target { provider, model, timeouts } = target;
        let deadline = self.transcript.deadline().is_none().then(|| now.saturating_add(timeouts.total));
        let opening = Fact::AttemptOpening { attempt, at: now, provider, model };
        self.record(deadline.map(|at| Fact::DeadlineSet { at }).into_iter().chain([opening]), ctx);
        fault::reach(FaultPoint::AttemptOpening);
        self.tries.step = Step::Opening { facts: self.transcript.facts() };
        self.watch_deadline(ctx);
        self.read_when_durable(ctx);
    }

    /// Ends the response when its deadline has passed, if it has one.
    pub(super) fn watch_deadline(&mut self, ctx: &mut Context<Self>) {
        let Some(deadline) = self.transcript.deadline().filter(|_| self.tries.deadline.is_none()) else { return };
        let left = deadline.since(self.node.clock.now());
        self.tries.deadline = Some(ctx.run_later(left, Self::deadline_passed));
    }

    fn deadline_passed(&mut self, ctx: &mut Context<Self>) {
        let at = self.node.clock.now();
        self.finish([Fact::DeadlinePassed { at }], ctx);
    }

    /// Asks the provider if nothing stands in the way any more.
    pub(super) fn read_when_durable(&mut self, ctx: &mut Context<Self>) {
        let Step::Opening { facts } = self.tries.step else { return };
        let (Some(attempt), Some(permit)) = (self.tries.attempt, self.tries.permit.clone()) else { return };
        if facts > self.stored_facts || !matches!(self.stage, Stage::Running) || !self.is_undecided() {
            return;
        }
        let Some(upstream) = self.upstream() else { return self.fail(Cause::InternalError, ctx) };
        self.tries.step = Step::Reading;
        self.tries.heard = upstream.provider.can_reattach().then(Heard::default);
        (self.tries.retelling, self.tries.traceable_from) = (None, None);
        fault::reach(FaultPoint::AttemptDurable);
        self.start_reader(&upstream.provider, (attempt, None), permit, ctx);
    }

    /// The provider's call failed.
    pub(super) fn attempt_failed(&mut self, cause: Cause, error: Option<Error>, ctx: &mut Context<Self>) {
        let (status, retry_after) = match &error {
            Some(Error::Status { status, retry_after, .. }) => (Some(*status), *retry_after),
            Some(_) | None => (None, None),
        };
        let failure = Failure::new(cause, status, retry_after);
        if self.listen_again_after(&failure, ctx) {
            return;
        }
        self.children.stop_reader();
        let now = self.node.clock.now();
        if let Some(pass) = self.tries.pass.take() {
            pass.failed(cause, now);
        }
        self.provider_error = error;
        if self.transcript.pieces() > 0 {
            self.tries.tried.output_began();
        }
        let failed = self.tries.attempt.map(|attempt| Fact::ProviderFailed { attempt, cause });
        match self.decide_next(&failure) {
            Next::GiveUp => self.finish(failed, ctx),
            next @ (Next::Retry { .. } | Next::Fallback { .. }) => {
                tracing::info!(next = ?next, "another attempt follows");
                self.record(failed, ctx);
                self.follow(next, ctx);
            }
        }
    }

    /// The provider was not even asked.
    fn not_asked(&mut self, failure: Failure, ctx: &mut Context<Self>) {
        match self.decide_next(&failure) {
            next @ (Next::Retry { .. } | Next::Fallback { .. }) => self.follow(next, ctx),
            // What an attempt before failed of says more.
            Next::GiveUp if self.tries.attempt.is_some() => self.finish([], ctx),
            Next::GiveUp => {
                self.retry_after = failure.retry_after;
                self.fail(failure.cause, ctx);
            }
        }
    }

    fn decide_next(&mut self, failure: &Failure) -> Next {
        let Some(Upstream { control, retry, .. }) = self.upstream() else { return Next::GiveUp };
        let now = self.node.clock.now();
        let next = retry.next(&self.tries.tried, failure, control.jitter(), || control.may_retry(now));
        self.tries.tried.follow(next);
        next
    }

    fn follow(&mut self, next: Next, ctx: &mut Context<Self>) {
        match next {
            Next::Retry { after } => {
                self.tries.step = Step::Pause;
                self.tries.retries = true;
                self.tries.waiting = Some(ctx.run_later(after, |supervisor, ctx| {
                    if supervisor.is_undecided() {
                        supervisor.open_attempt(ctx);
                    }
                }));
            }
            Next::Fallback { .. } => {
                self.tries.permit = None;
                self.enter_gate(ctx);
            }
            Next::GiveUp => {}
        }
    }

    /// Nothing more is tried: the provider's socket is closed, and its place is free.
    pub(super) fn stop_trying(&mut self, ctx: &mut Context<Self>) {
        self.children.stop_reader();
        self.end_lost_call();
        for handle in [self.tries.waiting.take(), self.tries.deadline.take()].into_iter().flatten() {
            ctx.cancel_future(handle);
        }
        self.tries.permit = None;
        if let Some(pass) = self.tries.pass.take()
            && self.transcript.is_finished()
        {
            pass.succeeded();
        }
    }
}

impl Handler<TakeTurn> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, _: TakeTurn, ctx: &mut Context<Self>) {
        if self.tries.step == Step::Turn && self.is_undecided() {
            if self.plan.targets.is_empty() { self.plan(ctx) } else { self.enter_gate(ctx) }
        }
    }
}
