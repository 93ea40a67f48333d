//! Commands, stopping the work that is under way, and handing a response over to another process.

use super::{
    AttemptReport, LostCall, Recovery, Run, RunCommand, RunEffect, RunNote, Timer,
    machine::{AdmissionState, DatabaseState},
    state::{
        AfterPause, AwaitingSlot, Pausing, ProviderCallState, Reading, RunState, SlotPurpose, TurnState, UselessCall,
    },
};
use crate::Fact;

impl Run {
    pub(super) fn command(&mut self, command: RunCommand) {
        match command {
            RunCommand::Cancel => self.cancel(),
            RunCommand::Stop => {
                if !self.hand_over() {
                    self.interrupt();
                }
            }
            RunCommand::LeaveQueue => {
                if self.transcript.recovery() == Recovery::Run {
                    // A response that can't be handed over goes on, and ends when the node does at the latest.
                    let _left = self.hand_over();
                }
            }
        }
    }

    /// Cancels the response. The caller gets its answer once the ending is durable, whichever it is.
    fn cancel(&mut self) {
        if matches!(self.state, RunState::Over) {
            self.effects.push(RunEffect::AnswerCancels);
        } else if self.database == DatabaseState::GivenUp {
            self.effects.push(RunEffect::RefuseCancels);
        } else {
            self.finish(vec![Fact::CancelRequested { at: self.now }]);
        }
    }

    /// Hands the response over to its next owner. What is not durable yet is done again there. Returns false if the
    /// response can't be resumed from what is stored.
    fn hand_over(&mut self) -> bool {
        if !self.can_be_left() {
            return false;
        }
        self.note(RunNote::HandedOver);
        self.stop_own_work();
        self.effects.push(RunEffect::HandOver);
        true
    }

    fn can_be_left(&self) -> bool {
        let accepted = self.admission == AdmissionState::Accepted && self.setup.request.store;
        accepted
            && self.state.is_undecided()
            && match self.transcript.recovery() {
                Recovery::Run => self.setup.can_rebuild_prompt,
                Recovery::Reattach(_) => self.is_traceable(),
                Recovery::RunTools(_) | Recovery::NextTurn(_) => {
                    self.setup.can_rebuild_prompt && self.durable == self.transcript.facts()
                }
                Recovery::Settle => false,
            }
    }

    /// Whether the log alone is enough to find the call of the provider again.
    fn is_traceable(&self) -> bool {
        let call = match &self.state {
            RunState::Reading(reading) => &reading.call,
            RunState::AwaitingSlot(waiting) => match &waiting.purpose {
                SlotPurpose::Reattach(detached) => &detached.call,
                SlotPurpose::Open(_) => return false,
            },
            RunState::Pausing(pausing) => match &pausing.then {
                AfterPause::Reattach(detached) => &detached.call,
                AfterPause::Retry => return false,
            },
            RunState::New
            | RunState::Resumed(_)
            | RunState::Queued
            | RunState::BuildingPrompt(_)
            | RunState::AwaitingBreaker(_)
            | RunState::Opening(_)
            | RunState::AwaitingRetry(_)
            | RunState::RunningTools(_)
            | RunState::Settling(_)
            | RunState::Over
            | RunState::Closed => return false,
        };
        call.received.is_some() && call.traceable_from.is_some_and(|facts| facts <= self.durable)
    }

    /// Stops all that runs for a response in this process; its state has to follow. What a provider does without a
    /// listener goes on.
    pub(super) fn stop_own_work(&mut self) {
        let state = std::mem::replace(&mut self.state, RunState::Closed);
        self.release_turn(&state);
        self.stop_all_timers();
    }

    /// Cancels the call of a state at its provider, if it has one that its provider works on without a listener.
    pub(super) fn cancel_call_of(&mut self, state: &RunState) {
        match state {
            RunState::Reading(Reading { turn, call, .. }) => self.cancel_call(turn, call),
            RunState::AwaitingSlot(AwaitingSlot { turn, purpose: SlotPurpose::Reattach(detached) })
            | RunState::Pausing(Pausing { turn, then: AfterPause::Reattach(detached) }) => {
                self.cancel_call(turn, &detached.call);
            }
            RunState::New
            | RunState::Resumed(_)
            | RunState::Queued
            | RunState::BuildingPrompt(_)
            | RunState::AwaitingSlot(_)
            | RunState::AwaitingBreaker(_)
            | RunState::Opening(_)
            | RunState::AwaitingRetry(_)
            | RunState::Pausing(_)
            | RunState::RunningTools(_)
            | RunState::Settling(_)
            | RunState::Over
            | RunState::Closed => {}
        }
    }

    /// Cancels a call at its provider, if that works on without a listener. It is told once the next fact is durable,
    /// which makes the call useless: by then another owner may listen to it, and only a fact that becomes durable shows
    /// that there is none.
    pub(super) fn cancel_call(&mut self, turn: &TurnState, call: &ProviderCallState) {
        let lost = call.received.as_ref().and_then(|_| self.transcript.lost_call());
        if let Some(LostCall { provider_response_id, .. }) = lost.filter(|lost| lost.attempt == call.attempt) {
            let target = turn.attempts.target();
            let (traceable_from, barrier) = (call.traceable_from, self.transcript.facts() + 1);
            self.useless_calls.push(UselessCall { target, provider_response_id, traceable_from, barrier });
        }
    }

    /// Has providers stop whose calls are useless by what is durable.
    pub(super) fn cancel_when_durable(&mut self) {
        let durable = self.durable;
        self.cancel_useless_calls(|call| call.barrier <= durable);
    }

    /// Has providers stop whose calls are useless, as far as they are so.
    pub(super) fn cancel_useless_calls(&mut self, is_certain: impl Fn(&UselessCall) -> bool) {
        for UselessCall { target, provider_response_id, .. } in
            self.useless_calls.extract_if(.., |call| is_certain(call))
        {
            self.effects.push(RunEffect::CancelAtProvider { target, provider_response_id });
        }
    }

    /// Releases all that a state holds.
    pub(super) fn release_turn(&mut self, state: &RunState) {
        if let RunState::Reading(_) = state {
            self.effects.push(RunEffect::StopReading);
        }
        match state {
            RunState::New
            | RunState::Resumed(_)
            | RunState::Queued
            | RunState::Pausing(Pausing { then: AfterPause::Retry, .. })
            | RunState::Settling(_)
            | RunState::Over
            | RunState::Closed => {}
            RunState::BuildingPrompt(_) => self.effects.push(RunEffect::StopBuildingPrompt),
            RunState::AwaitingSlot(_) | RunState::AwaitingBreaker(_) | RunState::AwaitingRetry(_) => {
                self.effects.push(RunEffect::ReleaseSlot);
            }
            RunState::Opening(_) | RunState::Pausing(Pausing { then: AfterPause::Reattach(_), .. }) => {
                self.release_attempt(AttemptReport::GivenUp);
            }
            RunState::Reading(Reading { call, .. }) if self.transcript.has_finished(call.attempt) => {
                self.release_attempt(AttemptReport::Succeeded);
            }
            RunState::Reading(_) => self.release_attempt(AttemptReport::GivenUp),
            RunState::RunningTools(_) => self.effects.push(RunEffect::StopTools),
        }
    }

    fn release_attempt(&mut self, report: AttemptReport) {
        self.effects.extend([RunEffect::ReportAttempt(report), RunEffect::ReleaseSlot]);
    }

    pub(super) fn stop_all_timers(&mut self) {
        for timer in [Timer::Pause, Timer::Deadline, Timer::Grace, Timer::StoreRetry] {
            self.stop_timer(timer);
        }
    }

    /// Ends the run once the ending is durable and no client needs it any more.
    pub(super) fn leave_when_served(&mut self) {
        if matches!(self.state, RunState::Over) && self.clients.are_served(self.setup.request.store) {
            self.state = RunState::Closed;
            self.effects.push(RunEffect::Leave);
        }
    }
}
