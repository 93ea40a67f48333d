//! The machine: what it holds, how it begins, and which event goes where.

use std::{collections::BTreeSet, time::Duration};

use super::{
    RecordedFact, Recovery, RunEffect, RunEvent, RunNote, RunSetup, Timer,
    clients::ConnectedClients,
    state::{RunState, Settling, TurnState, UselessCall},
};
use crate::{Attempts, Cause, Fact, OutputAllowance, ProviderEvent, Timestamp, Transcript};

/// Takes the data of one state out of a run; the run must get its next state after that. None, and nothing changes,
/// in any other state.
macro_rules! take_state {
    ($run:expr, $state:ident) => {{
        let state = std::mem::replace(&mut $run.state, $crate::run::state::RunState::Closed);
        if let $crate::run::state::RunState::$state(data) = state {
            Some(data)
        } else {
            $run.state = state;
            None
        }
    }};
}
pub(super) use take_state;

/// One response as it runs: turns, attempts, tools, and how it ends.
///
/// It owns the fold of the response's log and alone decides the ending. Events go in, effects come out, and the same
/// events always lead to the same effects.
#[derive(Debug)]
pub struct Run {
    pub(super) setup: RunSetup,
    pub(super) transcript: Transcript,
    pub(super) allowance: OutputAllowance,
    pub(super) state: RunState,
    pub(super) admission: AdmissionState,
    pub(super) database: DatabaseState,
    /// How often the database refused the entry that is being written.
    pub(super) refusals: u32,
    pub(super) clients: ConnectedClients,
    /// How many facts are durable; of a response that is not stored, how many count as durable.
    pub(super) durable: u64,
    /// Whether a provider has answered.
    pub(super) opened: bool,
    pub(super) hint: RetryHint,
    pub(super) timers: BTreeSet<Timer>,
    /// The calls that providers are to be told to stop.
    pub(super) useless_calls: Vec<UselessCall>,
    /// When the event that is being handled happened.
    pub(super) now: Timestamp,
    pub(super) effects: Vec<RunEffect>,
}

/// The state of a response's admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdmissionState {
    /// The response is not durable yet, and its caller waits.
    Pending,
    /// The response is not durable yet, and its caller was told that it is refused.
    Refused,
    /// The response is durable.
    Accepted,
}

/// Whether a run still waits for the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DatabaseState {
    /// The run still waits.
    Awaited,
    /// The run has waited too long, and its clients were told so.
    GivenUp,
}

/// The hints that a client of a failed response gets about trying again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryHint {
    /// The HTTP status that the provider answered the last attempt with, if it failed so.
    pub provider_status: Option<u16>,
    /// When it is worth coming back.
    pub retry_after: Option<Duration>,
}

/// The progress of a run, as its clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPhase {
    /// No provider has answered.
    Opening,
    /// A provider has answered.
    Opened,
    /// The database is away for longer than the response waits.
    Unavailable,
    /// The ending is durable.
    Ended,
}

/// What an earlier process left of a response.
#[derive(Debug)]
pub struct ResumedRun {
    /// The fold of its log, all of which is durable.
    pub transcript: Transcript,
    /// The provider events that its log holds.
    pub said: Vec<Fact>,
}

impl Run {
    /// The run of a new response.
    #[must_use]
    pub fn new(setup: RunSetup) -> Self {
        let transcript = Transcript::new(setup.id);
        Self::with(setup, transcript, AdmissionState::Pending, RunState::New)
    }

    /// The run of a response that another process began.
    #[must_use]
    pub fn resume(setup: RunSetup, resumed: ResumedRun) -> Self {
        let ResumedRun { transcript, said } = resumed;
        let durable = transcript.facts();
        let run = Self::with(setup, transcript, AdmissionState::Accepted, RunState::Closed);
        Self { durable, ..run }.having_received(said)
    }

    /// Applies what providers sent to an earlier process. All of it was within the allowance.
    fn having_received(mut self, said: Vec<Fact>) -> Self {
        let lost = self.transcript.lost_call().map(|call| call.attempt);
        let mut received = Vec::new();
        for fact in said {
            let Fact::Provider { attempt, event } = fact else { continue };
            // How often usage is reported depends on how a call is cut into reads, and earlier versions kept no tier.
            if matches!(event, ProviderEvent::Usage(_) | ProviderEvent::ServiceTier { .. }) {
                continue;
            }
            if Some(attempt) == lost {
                received.push(event.clone());
            }
            let _within = self.allowance.take(event);
        }
        self.state = RunState::Resumed(received);
        self
    }

    fn with(setup: RunSetup, transcript: Transcript, admission: AdmissionState, state: RunState) -> Self {
        Self {
            allowance: OutputAllowance::new(setup.limits.max_output_bytes),
            setup,
            transcript,
            state,
            admission,
            database: DatabaseState::Awaited,
            refusals: 0,
            clients: ConnectedClients::default(),
            durable: 0,
            opened: false,
            hint: RetryHint::default(),
            timers: BTreeSet::new(),
            useless_calls: Vec::new(),
            now: Timestamp::from_micros(0),
            effects: Vec::new(),
        }
    }

    /// Handles an event that happened at that time, and returns the effects to perform.
    #[must_use]
    pub fn handle(&mut self, now: Timestamp, event: RunEvent) -> Vec<RunEffect> {
        self.now = now;
        if !matches!(self.state, RunState::Closed) {
            self.dispatch(event);
        }
        std::mem::take(&mut self.effects)
    }

    fn dispatch(&mut self, event: RunEvent) {
        match event {
            RunEvent::Started => self.start(),
            RunEvent::BackgroundSlotGranted => self.begin_queued(),
            RunEvent::PromptBuilt { targets } => self.prompt_built(targets),
            RunEvent::PromptFailed { cause } => self.prompt_failed(cause),
            RunEvent::SlotGranted => self.slot_granted(),
            RunEvent::SlotRefused | RunEvent::SlotTimedOut => self.slot_missed(),
            RunEvent::ProviderUnknown => self.provider_unknown(),
            RunEvent::AttemptAdmitted => self.attempt_admitted(),
            RunEvent::AttemptRefused { retry_after } => self.attempt_refused(retry_after),
            RunEvent::RetryAllowed => self.retry_allowed(),
            RunEvent::RetryDenied => self.retry_denied(),
            RunEvent::ProviderSaid { attempt, events } => self.provider_said(attempt, events),
            RunEvent::ProviderEnded { attempt, failure, jitter } => self.provider_ended(attempt, failure, jitter),
            RunEvent::ToolEnded { attempt, call, result } => self.tool_ended(attempt, call, result),
            RunEvent::TimerFired(timer) => self.timer_fired(timer),
            RunEvent::UsageEstimated(estimates) => self.usage_estimated(estimates),
            RunEvent::SuccessWithdrawn { in_time } => self.success_withdrawn(in_time),
            RunEvent::Store(event) => self.store_event(event),
            RunEvent::Client { client, event } => self.client_event(client, event),
            RunEvent::Command(command) => self.command(command),
        }
    }

    fn start(&mut self) {
        if matches!(self.state, RunState::New) {
            return self.accept();
        }
        if let Some(received) = take_state!(self, Resumed) {
            self.effects.push(RunEffect::PromiseSuccess);
            self.recover(&received);
        }
    }

    /// Records that the response is accepted, and takes the first steps: what is known at once is recorded with it.
    fn accept(&mut self) {
        let RunSetup { id, request, policy, .. } = &self.setup;
        let accepted = Fact::Accepted { id: *id, at: self.now, request: Box::new((**request).clone()) };
        let policy = Fact::RunPolicySet { run_policy: Box::new(policy.clone()) };
        self.record(vec![accepted, policy]);
        if self.is_background() {
            self.state = RunState::Queued;
        } else {
            let turn = self.first_turn();
            self.request_slot(turn);
        }
    }

    fn begin_queued(&mut self) {
        if !matches!(self.state, RunState::Queued) {
            return;
        }
        let turn = self.first_turn();
        if self.setup.targets.is_empty() {
            self.build_prompt(turn);
        } else {
            self.request_slot(turn);
        }
    }

    fn first_turn(&self) -> TurnState {
        TurnState {
            number: 1,
            attempts: Attempts::at(self.setup.targets.len()),
            pieces_before: self.transcript.pieces(),
        }
    }

    /// Continues as the log of a response that an earlier process left demands.
    fn recover(&mut self, received: &[ProviderEvent]) {
        // In every case the state is an undecided one that holds nothing.
        self.state = RunState::Queued;
        match self.transcript.recovery() {
            Recovery::Run => {}
            Recovery::Reattach(call) => self.recover_call(call, received),
            Recovery::RunTools(calls) => self.recover_tools(&calls),
            Recovery::NextTurn(attempt) => {
                self.watch_deadline();
                self.next_turn(attempt.turn, 0);
            }
            Recovery::Settle => self.interrupt(),
        }
    }

    fn timer_fired(&mut self, timer: Timer) {
        if !self.timers.remove(&timer) {
            return;
        }
        match timer {
            Timer::Pause => self.pause_over(),
            Timer::Deadline => self.finish(vec![Fact::DeadlinePassed { at: self.now }]),
            Timer::Grace => self.grace_over(),
            Timer::StoreRetry => self.effects.push(RunEffect::RetryStore),
        }
    }

    /// The fold of the response's facts.
    #[must_use]
    pub const fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The hints that clients get about trying again if the response failed.
    #[must_use]
    pub const fn hint(&self) -> RetryHint {
        self.hint
    }

    /// The progress of the run.
    #[must_use]
    pub fn phase(&self) -> RunPhase {
        if matches!(self.state, RunState::Over | RunState::Closed) && self.transcript.ended().is_some() {
            RunPhase::Ended
        } else if self.database == DatabaseState::GivenUp {
            RunPhase::Unavailable
        } else if self.opened {
            RunPhase::Opened
        } else {
            RunPhase::Opening
        }
    }

    /// Whether a client may join. One that was there before may come back even where no new one may join.
    #[must_use]
    pub fn admits_client(&self, returning: bool) -> bool {
        returning || (self.setup.request.store && self.admission != AdmissionState::Pending)
    }

    pub(super) fn is_background(&self) -> bool {
        self.setup.request.background
    }

    /// Folds facts, and has them made durable.
    pub(super) fn append(&mut self, facts: Vec<Fact>) {
        let mut recorded = Vec::with_capacity(facts.len());
        for fact in facts {
            let mut events = Vec::new();
            self.transcript.apply(fact.clone(), &mut events);
            recorded.push(RecordedFact { facts: self.transcript.facts(), fact, events });
        }
        if !recorded.is_empty() {
            self.effects.push(RunEffect::Record(recorded));
        }
    }

    /// Appends facts that do not end the response. One that is accepted and not stored counts them as durable at once.
    pub(super) fn record(&mut self, facts: Vec<Fact>) {
        self.append(facts);
        if self.admission == AdmissionState::Accepted && !self.setup.request.store {
            self.make_durable(self.transcript.facts());
        }
    }

    pub(super) fn note(&mut self, note: RunNote) {
        self.effects.push(RunEffect::Note(note));
    }

    pub(super) fn start_timer(&mut self, timer: Timer, after: Duration) {
        self.timers.insert(timer);
        self.effects.push(RunEffect::StartTimer { timer, after });
    }

    pub(super) fn stop_timer(&mut self, timer: Timer) {
        if self.timers.remove(&timer) {
            self.effects.push(RunEffect::StopTimer(timer));
        }
    }

    /// Ends the response because a part of this server failed for good.
    pub(super) fn fail(&mut self, cause: Cause) {
        self.finish(vec![Fact::ServerFailed { at: self.now, cause }]);
    }

    /// Ends the response because the process that ran it did.
    pub(super) fn interrupt(&mut self) {
        self.finish(vec![Fact::NodeLost { at: self.now }]);
    }

    /// Ends the response with these facts; the fold decides the ending by them. All work for it stops at once.
    pub(super) fn finish(&mut self, last: Vec<Fact>) {
        if !self.state.is_undecided() {
            return;
        }
        let state = std::mem::replace(&mut self.state, RunState::Settling(Settling::Storing));
        self.cancel_call_of(&state);
        self.release_turn(&state);
        for timer in [Timer::Pause, Timer::Deadline, Timer::Grace] {
            self.stop_timer(timer);
        }
        if self.is_background() {
            self.effects.push(RunEffect::ReleaseBackgroundSlot);
        }
        self.note(RunNote::EndingDecided);
        self.settle(last);
    }
}
