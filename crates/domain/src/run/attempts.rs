//! One attempt after another: a slot at the provider, the breaker's permission, the opening, and what follows a
//! failure.

use std::time::Duration;

use super::{
    AttemptKind, AttemptReport, LostCall, Run, RunEffect, RunNote, RunTarget, SlotQueue, Timer, ToolOffer,
    bare_calls::BareCalls,
    machine::{RetryHint, take_state},
    replay::ReplayFingerprint,
    state::{
        AfterPause, AwaitingBreaker, AwaitingRetry, AwaitingSlot, CallOrigin, DetachedCall, Opening, Pausing,
        ProviderCallState, Reading, RunState, SlotPurpose, TurnState,
    },
};
use crate::{Attempt, Attempts, Cause, Fact, Failure, Jitter, Next, ProviderEvent, Reattach, RetryPolicy};

/// When it is worth coming back to a provider whose slots are all taken.
const BUSY: Duration = Duration::from_secs(1);

impl Run {
    fn target(&self, turn: &TurnState) -> Option<&RunTarget> {
        self.setup.targets.get(turn.attempts.target())
    }

    pub(super) fn build_prompt(&mut self, turn: TurnState) {
        let tools = if self.tools_exhausted(turn.number).is_some() { ToolOffer::Exhausted } else { ToolOffer::Offered };
        self.effects.push(RunEffect::BuildPrompt { turn: turn.number, tools });
        self.state = RunState::BuildingPrompt(turn);
    }

    pub(super) fn prompt_built(&mut self, targets: Option<Vec<RunTarget>>) {
        let Some(mut turn) = take_state!(self, BuildingPrompt) else { return };
        if let Some(targets) = targets {
            turn.attempts = Attempts::at(targets.len());
            self.setup.targets = targets;
        }
        self.request_slot(turn);
    }

    pub(super) fn prompt_failed(&mut self, cause: Cause) {
        if matches!(self.state, RunState::BuildingPrompt(_)) {
            self.fail(cause);
        }
    }

    /// Asks for a slot for the first attempt at a target.
    pub(super) fn request_slot(&mut self, turn: TurnState) {
        self.request_slot_for(turn, AttemptKind::First);
    }

    /// Asks for a slot at the target that is next. A background response may wait however long the queue is: its own
    /// limits bound how many wait so, and no client waits with it.
    fn request_slot_for(&mut self, turn: TurnState, kind: AttemptKind) {
        let queue = if self.is_background() { SlotQueue::Unbounded } else { SlotQueue::Bounded };
        self.await_slot(AwaitingSlot { turn, purpose: SlotPurpose::Open(kind) }, queue);
    }

    fn await_slot(&mut self, waiting: AwaitingSlot, queue: SlotQueue) {
        let patience = self.target(&waiting.turn).map(|target| target.queue_timeout);
        let target = waiting.turn.attempts.target();
        self.state = RunState::AwaitingSlot(waiting);
        let Some(patience) = patience else { return self.fail(Cause::InternalError) };
        let patience = (!self.is_background()).then_some(patience);
        self.effects.push(RunEffect::RequestSlot { target, queue, patience });
    }

    pub(super) fn slot_granted(&mut self) {
        let Some(AwaitingSlot { turn, purpose }) = take_state!(self, AwaitingSlot) else { return };
        match purpose {
            SlotPurpose::Open(kind) => self.ask_breaker(turn, kind),
            SlotPurpose::Reattach(detached) => self.reattach(turn, detached),
        }
    }

    pub(super) fn slot_missed(&mut self) {
        let Some(waiting) = take_state!(self, AwaitingSlot) else { return };
        match waiting.purpose {
            SlotPurpose::Open(_) => {
                self.target_not_asked(waiting.turn, &Failure::not_asked(Cause::QueueTimeout, Some(BUSY)));
            }
            SlotPurpose::Reattach(_) => {
                self.state = RunState::AwaitingSlot(waiting);
                self.interrupt();
            }
        }
    }

    pub(super) fn provider_unknown(&mut self) {
        match &self.state {
            RunState::AwaitingSlot(AwaitingSlot { purpose: SlotPurpose::Reattach(_), .. }) => self.interrupt(),
            RunState::AwaitingSlot(_) | RunState::AwaitingBreaker(_) => self.fail(Cause::InternalError),
            RunState::New
            | RunState::Resumed(_)
            | RunState::Queued
            | RunState::BuildingPrompt(_)
            | RunState::Opening(_)
            | RunState::Reading(_)
            | RunState::AwaitingRetry(_)
            | RunState::Pausing(_)
            | RunState::RunningTools(_)
            | RunState::Settling(_)
            | RunState::Over
            | RunState::Closed => {}
        }
    }

    fn ask_breaker(&mut self, turn: TurnState, kind: AttemptKind) {
        self.effects.push(RunEffect::AdmitAttempt { target: turn.attempts.target(), kind });
        self.state = RunState::AwaitingBreaker(AwaitingBreaker { turn, kind });
    }

    pub(super) fn attempt_refused(&mut self, retry_after: Duration) {
        let Some(AwaitingBreaker { turn, .. }) = take_state!(self, AwaitingBreaker) else { return };
        self.target_not_asked(turn, &Failure::not_asked(Cause::ProviderCircuitOpen, Some(retry_after)));
    }

    /// Records that the provider is about to be asked. It is asked once that is durable.
    pub(super) fn attempt_admitted(&mut self) {
        let Some(AwaitingBreaker { mut turn, kind }) = take_state!(self, AwaitingBreaker) else { return };
        let Some(RunTarget { target, .. }) = self.target(&turn).cloned() else {
            self.state = RunState::AwaitingBreaker(AwaitingBreaker { turn, kind });
            return self.fail(Cause::InternalError);
        };
        let attempt = Attempt { turn: turn.number, number: turn.attempts.open() };
        let deadline = self.transcript.deadline().is_none().then(|| self.now.saturating_add(target.timeouts.total));
        let opening = Fact::AttemptOpening { attempt, at: self.now, provider: target.provider, model: target.model };
        self.record(deadline.map(|at| Fact::DeadlineSet { at }).into_iter().chain([opening]).collect());
        self.state = RunState::Opening(Opening { turn, attempt, barrier: self.transcript.facts() });
        self.watch_deadline();
        self.proceed_when_durable();
    }

    /// Ends the response when its deadline has passed, if it has one.
    pub(super) fn watch_deadline(&mut self) {
        let Some(deadline) = self.transcript.deadline() else { return };
        if !self.timers.contains(&Timer::Deadline) {
            self.start_timer(Timer::Deadline, deadline.since(self.now));
        }
    }

    pub(super) fn open_when_durable(&mut self) {
        let is_durable = matches!(&self.state, RunState::Opening(opening) if opening.barrier <= self.durable);
        if !is_durable {
            return;
        }
        let Some(Opening { turn, attempt, .. }) = take_state!(self, Opening) else { return };
        let reattachable = self.target(&turn).is_some_and(|target| target.reattachable);
        self.effects.push(RunEffect::OpenAttempt { attempt, target: turn.attempts.target() });
        let call = ProviderCallState {
            attempt,
            origin: CallOrigin::Own,
            received: reattachable.then(ReplayFingerprint::default),
            reattached: 0,
            traceable_from: None,
            server_calls: Vec::new(),
        };
        self.state = RunState::Reading(Reading { turn, call, filter: None, bare_calls: BareCalls::default() });
    }

    /// Goes on after a target that was not asked: it is not waited for, but the next one may be asked.
    fn target_not_asked(&mut self, mut turn: TurnState, failure: &Failure) {
        let next = self.next(&turn, failure, Jitter::LEAST, true);
        turn.attempts.follow(next);
        match next {
            Next::Retry { .. } | Next::Fallback { .. } => {
                self.effects.push(RunEffect::ReleaseSlot);
                self.request_slot(turn);
            }
            Next::GiveUp => {
                let was_asked = turn.attempts.has_opened();
                let purpose = SlotPurpose::Open(AttemptKind::First);
                self.state = RunState::AwaitingSlot(AwaitingSlot { turn, purpose });
                if was_asked {
                    // The failure of an earlier attempt says more.
                    self.finish(Vec::new());
                } else {
                    self.hint = RetryHint { provider_status: None, retry_after: failure.retry_after };
                    self.fail(failure.cause);
                }
            }
        }
    }

    fn next(&self, turn: &TurnState, failure: &Failure, jitter: Jitter, may_retry: bool) -> Next {
        let Some(target) = self.target(turn) else { return Next::GiveUp };
        target.retry.next(&turn.attempts, failure, jitter, || may_retry)
    }

    /// Handles the end of an attempt.
    pub(super) fn provider_ended(&mut self, attempt: Attempt, failure: Failure, jitter: Jitter) {
        let Some(reading) = take_state!(self, Reading) else { return };
        if reading.call.attempt != attempt {
            self.state = RunState::Reading(reading);
        } else if self.transcript.has_finished(attempt) {
            self.turn_finished(reading);
        } else {
            self.call_failed(reading, &failure, jitter);
        }
    }

    fn call_failed(&mut self, reading: Reading, failure: &Failure, jitter: Jitter) {
        let lost = reading.call.received.as_ref().and_then(|_| self.transcript.lost_call());
        match lost {
            Some(lost) => self.listener_lost(reading, lost, failure, jitter),
            None => self.attempt_failed(reading, failure, jitter),
        }
    }

    /// The connection to a call failed that its provider works on: it is listened to again, if that is of any use.
    fn listener_lost(&mut self, reading: Reading, lost: LostCall, failure: &Failure, jitter: Jitter) {
        let Reading { turn, mut call, filter, bare_calls } = reading;
        let again = RetryPolicy::reattach().reattach_after(call.reattached, failure, jitter);
        if let Reattach::Again { after } = again {
            call.reattached += 1;
            self.effects.push(RunEffect::StopReading);
            let then = AfterPause::Reattach(DetachedCall { call, provider_response_id: lost.provider_response_id });
            self.pause(Pausing { turn, then }, after);
            return;
        }
        if failure.ends_provider_work() {
            call.received = None;
        }
        let reading = Reading { turn, call, filter, bare_calls };
        // An error that the provider reported is the cause; that the call could not be reached again is not.
        if reading.call.origin == CallOrigin::Recovered && !failure.is_reported_by_provider() {
            self.state = RunState::Reading(reading);
            self.interrupt();
        } else {
            self.attempt_failed(reading, failure, jitter);
        }
    }

    /// The attempt failed: another one follows, at this target or the next, or the response ends.
    fn attempt_failed(&mut self, reading: Reading, failure: &Failure, jitter: Jitter) {
        let Reading { mut turn, call, .. } = reading;
        self.cancel_call(&turn, &call);
        self.effects.push(RunEffect::StopReading);
        self.effects.push(RunEffect::ReportAttempt(AttemptReport::Failed(failure.cause)));
        self.hint = RetryHint { provider_status: failure.provider_status, retry_after: failure.retry_after };
        if self.transcript.pieces() > turn.pieces_before {
            turn.attempts.output_began();
        }
        let next = match call.origin {
            CallOrigin::Own => self.next(&turn, failure, jitter, true),
            // The provider may have worked before, and it is not known what clients have seen of that.
            CallOrigin::Recovered => Next::GiveUp,
        };
        let waiting = AwaitingRetry { turn, attempt: call.attempt, failure: failure.clone(), after: Duration::ZERO };
        if let Next::Retry { after } = next
            && !failure.is_own()
        {
            self.effects.push(RunEffect::SpendRetry { target: waiting.turn.attempts.target() });
            self.state = RunState::AwaitingRetry(AwaitingRetry { after, ..waiting });
        } else {
            self.follow(waiting, next);
        }
    }

    pub(super) fn retry_allowed(&mut self) {
        let Some(waiting) = take_state!(self, AwaitingRetry) else { return };
        let after = waiting.after;
        self.follow(waiting, Next::Retry { after });
    }

    pub(super) fn retry_denied(&mut self) {
        let Some(waiting) = take_state!(self, AwaitingRetry) else { return };
        let next = self.next(&waiting.turn, &waiting.failure, Jitter::LEAST, false);
        self.follow(waiting, next);
    }

    fn follow(&mut self, waiting: AwaitingRetry, next: Next) {
        let failed = waiting.failed();
        if next == Next::GiveUp {
            self.state = RunState::AwaitingRetry(waiting);
            return self.finish(vec![failed]);
        }
        let AwaitingRetry { mut turn, .. } = waiting;
        self.note(RunNote::AttemptFollows(next));
        self.record(vec![failed]);
        turn.attempts.follow(next);
        // Somebody else can use the slot until the next attempt.
        self.effects.push(RunEffect::ReleaseSlot);
        if let Next::Retry { after } = next {
            self.pause(Pausing { turn, then: AfterPause::Retry }, after);
        } else {
            self.request_slot(turn);
        }
    }

    fn pause(&mut self, pausing: Pausing, after: Duration) {
        self.state = RunState::Pausing(pausing);
        self.start_timer(Timer::Pause, after);
    }

    pub(super) fn pause_over(&mut self) {
        let Some(Pausing { turn, then }) = take_state!(self, Pausing) else { return };
        match then {
            AfterPause::Retry => self.request_slot_for(turn, AttemptKind::Retry),
            AfterPause::Reattach(detached) => self.reattach(turn, detached),
        }
    }

    /// Listens to a call from its beginning: what was received before is recognized and left out.
    fn reattach(&mut self, turn: TurnState, detached: DetachedCall) {
        let DetachedCall { call, provider_response_id } = detached;
        let target = turn.attempts.target();
        self.effects.push(RunEffect::Reattach { attempt: call.attempt, target, provider_response_id });
        let filter = call.received.as_ref().map(ReplayFingerprint::replay);
        self.state = RunState::Reading(Reading { turn, call, filter, bare_calls: BareCalls::default() });
    }

    /// The call of an earlier process is listened to again. It counts among those that its provider has at work.
    pub(super) fn recover_call(&mut self, lost: LostCall, received: &[ProviderEvent]) {
        if !self.setup.targets.first().is_some_and(|target| target.reattachable) {
            return self.interrupt();
        }
        self.note(RunNote::CallRecovered);
        self.opened = true;
        self.watch_deadline();
        let server_calls = received.iter().filter_map(|event| self.server_call(event)).collect();
        let call = ProviderCallState {
            attempt: lost.attempt,
            origin: CallOrigin::Recovered,
            received: Some(received.iter().collect()),
            reattached: 0,
            traceable_from: Some(self.durable),
            server_calls,
        };
        let attempts = Attempts::resumed(self.setup.targets.len(), lost.attempt.number);
        let pieces_before = self.transcript.pieces_before(lost.attempt.turn);
        let turn = TurnState { number: lost.attempt.turn, attempts, pieces_before };
        let detached = DetachedCall { call, provider_response_id: lost.provider_response_id };
        let purpose = SlotPurpose::Reattach(detached);
        self.await_slot(AwaitingSlot { turn, purpose }, SlotQueue::Unbounded);
        if !self.is_background() {
            self.last_client_left();
        }
    }
}
