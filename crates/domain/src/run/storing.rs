//! The answers of the store, and how an ending becomes durable.

use std::time::Duration;

use super::{
    AdmissionFailure, Disowned, Run, RunEffect, RunNote, StoreEvent, Timer, UsageEstimates,
    machine::{AdmissionState, DatabaseState, take_state},
    state::{RunState, Settling, UselessCall},
};
use crate::{Cause, Fact, backoff::pause_after};
use antiphon_protocol::Status;

/// After how many refusals in a row a run that has given the database up leaves its response to be settled.
const MOST_REFUSALS: u32 = 3;

impl Run {
    /// Answers of the store that come after the ending is durable change nothing.
    pub(super) fn store_event(&mut self, event: StoreEvent) {
        if matches!(self.state, RunState::Over) {
            return;
        }
        match event {
            StoreEvent::Admitted { facts } => self.admitted(facts),
            StoreEvent::Stored { facts } => self.make_durable(facts),
            StoreEvent::EndingStored => self.conclude(),
            StoreEvent::Refused => self.store_refused(),
            StoreEvent::OwnershipLost(Disowned::NotAdmitted(failure)) => self.give_way(failure),
            StoreEvent::OwnershipLost(Disowned::OtherOwner) => {
                self.refuse_admission(AdmissionFailure::Failed);
                self.abandon();
            }
            StoreEvent::OwnershipLost(Disowned::Deleted) => self.let_go(),
            StoreEvent::Silent { waited } => self.check_patience(waited),
        }
        self.proceed_when_durable();
    }

    fn admitted(&mut self, facts: u64) {
        match self.admission {
            AdmissionState::Accepted => return,
            AdmissionState::Refused => {}
            AdmissionState::Pending => {
                if self.is_background() {
                    // The client of a background response is told of its success at once, however it ends.
                    self.effects.push(RunEffect::PromiseSuccess);
                }
                self.effects.push(RunEffect::AcceptAdmission);
            }
        }
        self.admission = AdmissionState::Accepted;
        // What is not stored counts as durable once it is in memory, except for the ending.
        self.make_durable(if self.setup.request.store { facts } else { self.transcript.facts() });
        if let Some(settling) = take_state!(self, Settling) {
            self.settle_admitted(settling);
        }
    }

    fn settle_admitted(&mut self, settling: Settling) {
        match settling {
            Settling::AwaitingAdmission(last) => self.settle(last),
            settling @ (Settling::Estimating(_) | Settling::Withdrawing(_) | Settling::Storing) => {
                self.state = RunState::Settling(settling);
            }
        }
    }

    /// All facts below this number are durable, and may be shown.
    pub(super) fn make_durable(&mut self, facts: u64) {
        self.refusals = 0;
        self.durable = self.durable.max(facts);
        self.effects.push(RunEffect::Publish { facts: self.durable });
        self.cancel_when_durable();
    }

    /// Does what waited for facts to become durable.
    pub(super) fn proceed_when_durable(&mut self) {
        if self.admission == AdmissionState::Accepted {
            self.open_when_durable();
            self.run_tools_when_durable();
        }
    }

    /// What the database refuses is submitted again, with growing pauses, as long as a database that is away is waited
    /// for. After that the response is settled from its log: what is durable is all that anyone saw of it.
    fn store_refused(&mut self) {
        self.refusals = self.refusals.saturating_add(1);
        let refused_for_good = self.database == DatabaseState::GivenUp && self.refusals >= MOST_REFUSALS;
        if self.refuse_admission(AdmissionFailure::Failed) || refused_for_good {
            self.abandon();
        } else {
            self.start_timer(Timer::StoreRetry, pause_after(self.refusals));
        }
    }

    /// The store did not take the response: nothing is left of it that could be settled.
    fn give_way(&mut self, failure: AdmissionFailure) {
        let held_slot = self.is_background() && self.state.is_undecided();
        self.stop_own_work();
        if held_slot {
            self.effects.push(RunEffect::ReleaseBackgroundSlot);
        }
        self.refuse_admission(failure);
        self.effects.push(RunEffect::Leave);
    }

    /// The run can't go on here: whoever recovers the response decides how it ends. Another owner may listen to a call
    /// of its provider that it finds in the log; any other call can be ended by this run alone.
    fn abandon(&mut self) {
        let (durable, stored) = (self.durable, self.setup.request.store);
        self.abandon_calls(|call| !stored || call.traceable_from.is_none_or(|facts| facts > durable));
    }

    /// Abandons the response, and ends those calls at its providers that nobody else listens to.
    fn abandon_calls(&mut self, has_no_listener: impl Fn(&UselessCall) -> bool) {
        let state = std::mem::replace(&mut self.state, RunState::Closed);
        self.cancel_call_of(&state);
        self.state = state;
        self.cancel_useless_calls(has_no_listener);
        self.stop_own_work();
        self.effects.push(RunEffect::Abandon);
    }

    /// The response was deleted, and with it all that another owner could go on with: its provider stops too.
    fn let_go(&mut self) {
        self.refuse_admission(AdmissionFailure::Failed);
        self.abandon_calls(|_| true);
    }

    /// Refuses the admission. Returns false if no caller waits for it any more.
    fn refuse_admission(&mut self, failure: AdmissionFailure) -> bool {
        let pending = self.admission == AdmissionState::Pending;
        if pending {
            self.admission = AdmissionState::Refused;
            self.effects.push(RunEffect::RefuseAdmission(failure));
        }
        pending
    }

    /// Gives up waiting for the database once that took too long: the provider is stopped, and the clients'
    /// connections end. The ending is made durable when the database is back.
    fn check_patience(&mut self, waited: Duration) {
        let patience = match self.admission {
            AdmissionState::Pending => self.setup.limits.admission_patience,
            AdmissionState::Refused | AdmissionState::Accepted => self.setup.limits.outage_patience,
        };
        if waited < patience || self.database == DatabaseState::GivenUp {
            return;
        }
        self.note(RunNote::DatabaseAway);
        self.fail(Cause::DatabaseUnavailable);
        self.refuse_admission(AdmissionFailure::DatabaseAway);
        self.database = DatabaseState::GivenUp;
        self.effects.extend([RunEffect::AnnounceUnavailable, RunEffect::RefuseCancels]);
    }

    /// Takes the steps to the ending: the admission first, then the usage that no provider reported, then the last
    /// facts.
    pub(super) fn settle(&mut self, last: Vec<Fact>) {
        if self.admission != AdmissionState::Accepted {
            self.state = RunState::Settling(Settling::AwaitingAdmission(last));
            return;
        }
        let unreported = self.transcript.unreported_turns();
        if unreported.is_empty() {
            return self.end(last, UsageEstimates::default());
        }
        self.effects.push(RunEffect::EstimateUsage(unreported));
        self.state = RunState::Settling(Settling::Estimating(last));
    }

    pub(super) fn usage_estimated(&mut self, estimates: UsageEstimates) {
        let Some(settling) = take_state!(self, Settling) else { return };
        match settling {
            Settling::Estimating(last) => self.end(last, estimates),
            settling @ (Settling::AwaitingAdmission(_) | Settling::Withdrawing(_) | Settling::Storing) => {
                self.state = RunState::Settling(settling);
            }
        }
    }

    /// Folds the last facts and the ending, which become durable together: no append must carry the terminal event.
    fn end(&mut self, last: Vec<Fact>, estimates: UsageEstimates) {
        let ended = Fact::Ended { at: self.now };
        self.append(last.into_iter().chain([ended]).collect());
        // A response that failed without output, and of which no client was told a success, gives its idempotency key
        // back: from here on its clients are told of the failure, and the request may be repeated.
        if self.transcript.status() == Status::Failed && self.transcript.pieces() == 0 {
            self.effects.push(RunEffect::WithdrawSuccess);
            self.state = RunState::Settling(Settling::Withdrawing(estimates));
        } else {
            self.store_ending(estimates, false);
        }
    }

    pub(super) fn success_withdrawn(&mut self, in_time: bool) {
        let Some(settling) = take_state!(self, Settling) else { return };
        match settling {
            Settling::Withdrawing(estimates) => self.store_ending(estimates, in_time && self.setup.claims_key),
            settling @ (Settling::AwaitingAdmission(_) | Settling::Estimating(_) | Settling::Storing) => {
                self.state = RunState::Settling(settling);
            }
        }
    }

    fn store_ending(&mut self, estimates: UsageEstimates, releases_key: bool) {
        self.effects.push(RunEffect::StoreEnding { estimates, releases_key });
        self.state = RunState::Settling(Settling::Storing);
    }

    /// Shows the ending, which is durable now.
    fn conclude(&mut self) {
        if !matches!(self.state, RunState::Settling(Settling::Storing)) {
            return;
        }
        self.make_durable(self.transcript.facts());
        self.stop_all_timers();
        self.state = RunState::Over;
        self.effects.extend([RunEffect::Conclude, RunEffect::AnswerCancels]);
        self.leave_when_served();
    }
}
