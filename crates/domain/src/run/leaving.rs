//! Commands, stopping the work that is under way, and handing a response over to another process.

use super::{
    AttemptReport, Recovery, Run, RunCommand, RunEffect, RunNote, Timer,
    machine::{AdmissionState, DatabaseState},
    state::{AfterPause, DetachedCall, Pausing, Reading, RunState, SlotPurpose},
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
        let state = std::mem::replace(&mut self.state, RunState::Closed);
        if let RunState::Reading(_) = &state {
            self.effects.push(RunEffect::DetachCall);
        }
        self.release_turn(&state);
        self.stop_all_timers();
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

    /// Stops all work of a state whose response ends. A call that has no listener is cancelled at its provider.
    pub(super) fn stop_work(&mut self, state: &RunState) {
        self.stop_own_work(state);
        if let RunState::AwaitingSlot(waiting) = state
            && let SlotPurpose::Reattach(detached) = &waiting.purpose
        {
            self.cancel_at_provider(waiting.turn.attempts.target(), detached);
        }
        if let RunState::Pausing(Pausing { turn, then: AfterPause::Reattach(detached) }) = state {
            self.cancel_at_provider(turn.attempts.target(), detached);
        }
    }

    pub(super) fn cancel_at_provider(&mut self, target: usize, detached: &DetachedCall) {
        let provider_response_id = detached.provider_response_id.clone();
        self.effects.push(RunEffect::CancelAtProvider { target, provider_response_id });
    }

    /// Stops what runs in this process.
    pub(super) fn stop_own_work(&mut self, state: &RunState) {
        if let RunState::Reading(_) = state {
            self.effects.push(RunEffect::StopReading);
        }
        self.release_turn(state);
    }

    /// Releases all that a state holds, except for the connection to the provider.
    fn release_turn(&mut self, state: &RunState) {
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
