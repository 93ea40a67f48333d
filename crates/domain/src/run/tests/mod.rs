//! A run without actors: its effects are performed on paper.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod attempts;
mod clients;
mod endings;
mod properties;
mod recovery;
mod tools;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::*;
use crate::{
    Attempt, Cause, DisconnectPolicy, Fact, Failure, FinishReason, Jitter, ProviderEvent, Request, RetryPolicy,
    RunPolicy, Target, Timestamp, ToolAccess, ToolPolicy, Transcript, Verdict,
};
use antiphon_protocol::{FunctionTool, ResponseId, Status, Tool, Usage};

pub(super) const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
pub(super) const FIRST: Attempt = Attempt::FIRST;

pub(super) fn id() -> ResponseId {
    "resp_0198c0de00007000800000000000abcd".parse().unwrap()
}

/// What the performer answers where a run is answered at once.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    /// None: the slot is waited for.
    pub(super) slot: Option<RunEvent>,
    pub(super) breaker: RunEvent,
    pub(super) budget: RunEvent,
    pub(super) withdrawn: bool,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            slot: Some(RunEvent::SlotGranted),
            breaker: RunEvent::AttemptAdmitted,
            budget: RunEvent::RetryAllowed,
            withdrawn: true,
        }
    }
}

/// Where the slot of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    None,
    Awaited,
    Held,
}

/// How a run left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    Left,
    HandedOver,
    Abandoned,
}

/// Performs the effects of a run on paper, and holds it to what is true of every run.
#[derive(Debug)]
pub(super) struct Performer {
    pub(super) run: Run,
    pub(super) now: Timestamp,
    pub(super) answers: Answers,
    /// The facts of the log, those of an earlier process among them.
    pub(super) log: Vec<Fact>,
    pub(super) effects: Vec<RunEffect>,
    pub(super) published: u64,
    pub(super) slot: Slot,
    pub(super) pass: bool,
    pub(super) building: bool,
    pub(super) reader: Option<Attempt>,
    pub(super) tools: BTreeSet<(Attempt, u32)>,
    pub(super) tools_run: BTreeMap<(Attempt, u32), u32>,
    pub(super) timers: BTreeSet<Timer>,
    pub(super) admission: Option<Result<(), AdmissionFailure>>,
    pub(super) estimating: bool,
    /// Whether the key is given back, once the ending is on its way.
    pub(super) ending: Option<bool>,
    pub(super) concluded: bool,
    /// Whether another background response may begin in its stead.
    pub(super) background_over: bool,
    pub(super) farewell: Option<Farewell>,
    /// Whether the run was told that nobody owns the response.
    deleted: bool,
    next_sequence: u64,
}

pub(super) fn performer(setup: RunSetup) -> Performer {
    Performer::of(Run::new(setup), Vec::new())
}

impl Performer {
    pub(super) fn of(run: Run, log: Vec<Fact>) -> Self {
        Self {
            now: NOW,
            answers: Answers::default(),
            effects: Vec::new(),
            published: log.len() as u64,
            slot: Slot::None,
            pass: false,
            building: false,
            reader: None,
            tools: BTreeSet::new(),
            tools_run: BTreeMap::new(),
            timers: BTreeSet::new(),
            admission: None,
            estimating: false,
            ending: None,
            concluded: false,
            background_over: false,
            farewell: None,
            deleted: false,
            next_sequence: run.transcript().next_sequence(),
            log,
            run,
        }
    }

    pub(super) fn feed(&mut self, event: RunEvent) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            if let RunEvent::TimerFired(timer) = &event {
                self.timers.remove(timer);
            }
            self.deleted |= matches!(event, RunEvent::Store(StoreEvent::OwnershipLost(Disowned::Deleted)));
            for effect in self.run.handle(self.now, event) {
                assert_eq!(self.farewell, None, "{effect:?} after the last effect");
                self.effects.push(effect.clone());
                events.extend(self.perform(effect));
            }
        }
        if self.farewell.is_some() || self.concluded {
            assert_eq!((self.slot, self.pass, self.building, self.reader), (Slot::None, false, false, None));
            assert!(self.tools.is_empty(), "tools still run");
            assert!(self.timers.is_empty(), "timers still run: {:?}", self.timers);
        }
    }

    fn perform(&mut self, effect: RunEffect) -> Option<RunEvent> {
        match effect {
            RunEffect::Record(facts) => self.record(facts),
            RunEffect::Publish { facts } => {
                assert!(facts <= self.log.len() as u64 && facts >= self.published);
                self.published = facts;
            }
            RunEffect::AcceptAdmission => assert_eq!(self.admission.replace(Ok(())), None),
            RunEffect::RefuseAdmission(failure) => assert_eq!(self.admission.replace(Err(failure)), None),
            RunEffect::BuildPrompt { .. } => {
                assert_eq!((self.slot, self.building), (Slot::None, false));
                self.building = true;
            }
            RunEffect::StopBuildingPrompt => self.building = false,
            RunEffect::RequestSlot { .. } => return self.request_slot(),
            RunEffect::ReleaseSlot => {
                assert_ne!((self.slot, self.reader.is_some()), (Slot::Held, true), "the slot goes after the reader");
                self.slot = Slot::None;
            }
            RunEffect::AdmitAttempt { .. } => {
                assert_eq!((self.slot, self.pass), (Slot::Held, false));
                self.pass = matches!(self.answers.breaker, RunEvent::AttemptAdmitted);
                return Some(self.answers.breaker.clone());
            }
            RunEffect::ReportAttempt(AttemptReport::Answered) => {}
            RunEffect::ReportAttempt(_) => self.pass = false,
            RunEffect::SpendRetry { .. } => return Some(self.answers.budget.clone()),
            RunEffect::OpenAttempt { attempt, .. } => {
                assert!(self.pass, "the breaker was asked");
                self.open(attempt);
            }
            RunEffect::Reattach { attempt, .. } => self.open(attempt),
            RunEffect::StopReading => self.reader = None,
            RunEffect::CancelAtProvider { .. } => self.cancel_at_provider(),
            RunEffect::RunTool(ToolCallRequest { attempt, call, .. }) => self.run_tool(attempt, call),
            RunEffect::StopTools => self.tools.clear(),
            RunEffect::StartTimer { timer, .. } => drop(self.timers.insert(timer)),
            RunEffect::StopTimer(timer) => assert!(self.timers.remove(&timer), "{timer:?} does not run"),
            RunEffect::EstimateUsage(_) => self.estimating = true,
            RunEffect::WithdrawSuccess => return Some(RunEvent::SuccessWithdrawn { in_time: self.answers.withdrawn }),
            RunEffect::StoreEnding { releases_key, .. } => assert_eq!(self.ending.replace(releases_key), None),
            RunEffect::Conclude => assert!(!std::mem::replace(&mut self.concluded, true)),
            RunEffect::ReleaseBackgroundSlot => assert!(!std::mem::replace(&mut self.background_over, true)),
            RunEffect::HandOver => self.farewell = Some(Farewell::HandedOver),
            RunEffect::Leave => self.farewell = Some(Farewell::Left),
            RunEffect::Abandon => self.farewell = Some(Farewell::Abandoned),
            RunEffect::PromiseSuccess
            | RunEffect::DropPrompt
            | RunEffect::AnnounceOpened
            | RunEffect::AnnounceUnavailable
            | RunEffect::RetryStore
            | RunEffect::AnswerCancels
            | RunEffect::RefuseCancels
            | RunEffect::Note(_) => {}
        }
        None
    }

    fn request_slot(&mut self) -> Option<RunEvent> {
        self.building = false;
        assert_eq!(self.slot, Slot::None, "a slot is asked for once");
        let granted = matches!(self.answers.slot, Some(RunEvent::SlotGranted));
        self.slot = if granted { Slot::Held } else { Slot::Awaited };
        self.answers.slot.clone()
    }

    /// Facts and events are numbered without a gap, and what decides an ending stands beside it.
    fn record(&mut self, facts: Vec<RecordedFact>) {
        let ends = facts.iter().any(|recorded| matches!(recorded.fact, Fact::Ended { .. }));
        for RecordedFact { facts, fact, events } in facts {
            assert!(!matches!(self.log.last(), Some(Fact::Ended { .. })), "a fact after the ending");
            let decides = matches!(
                fact,
                Fact::LimitReached { .. }
                    | Fact::CancelRequested { .. }
                    | Fact::ClientLost { .. }
                    | Fact::NodeLost { .. }
                    | Fact::DeadlinePassed { .. }
                    | Fact::ServerFailed { .. }
            );
            assert!(ends || !decides, "{fact:?} without an ending");
            self.log.push(fact);
            assert_eq!(facts, self.log.len() as u64);
            for event in events {
                assert_eq!(event.sequence_number(), self.next_sequence);
                self.next_sequence += 1;
            }
        }
    }

    fn open(&mut self, attempt: Attempt) {
        assert_eq!((self.slot, self.reader), (Slot::Held, None));
        let opening = |fact: &Fact| matches!(fact, Fact::AttemptOpening { attempt: of, .. } if *of == attempt);
        let opening = self.log.iter().position(opening).unwrap() as u64;
        assert!(opening < self.published, "a provider is asked once that is durable");
        self.reader = Some(attempt);
    }

    fn cancel_at_provider(&self) {
        let durable = self.log.iter().take(usize::try_from(self.published).unwrap());
        let mut transcript = Transcript::new(id());
        durable.for_each(|fact| transcript.apply(fact.clone(), &mut Vec::new()));
        let findable = self.run.setup.request.store && transcript.lost_call().is_some();
        assert!(self.deleted || !findable, "another owner may listen to the call");
    }

    fn run_tool(&mut self, attempt: Attempt, call: u32) {
        let started = |fact: &Fact| *fact == Fact::ToolStarted { attempt, call };
        let started = self.log.iter().position(started).unwrap() as u64;
        assert!(started < self.published, "a tool runs once that is durable");
        assert_eq!((self.slot, self.reader), (Slot::None, None), "no slot is held while tools run");
        assert!(self.tools.insert((attempt, call)));
        *self.tools_run.entry((attempt, call)).or_default() += 1;
    }

    /// The store has admitted the response, with all facts so far.
    pub(super) fn admitted(&mut self) {
        self.feed(RunEvent::Store(StoreEvent::Admitted { facts: self.log.len() as u64 }));
    }

    /// The store has all facts so far.
    pub(super) fn stored(&mut self) {
        self.feed(RunEvent::Store(StoreEvent::Stored { facts: self.log.len() as u64 }));
    }

    pub(super) fn ending_stored(&mut self) {
        if std::mem::take(&mut self.estimating) {
            self.feed(RunEvent::UsageEstimated(UsageEstimates::default()));
        }
        self.feed(RunEvent::Store(StoreEvent::EndingStored));
    }

    pub(super) fn says(&mut self, events: impl Into<Vec<ProviderEvent>>) {
        let attempt = self.reader.unwrap();
        self.feed(RunEvent::ProviderSaid { attempt, events: events.into() });
    }

    pub(super) fn fails(&mut self, cause: Cause, status: Option<u16>) {
        let attempt = self.reader.unwrap();
        let failure = Failure::new(cause, status, None);
        self.feed(RunEvent::ProviderEnded { attempt, failure, jitter: Jitter::LEAST });
    }

    /// The provider says all that is left, and closes.
    pub(super) fn finishes(&mut self, reason: FinishReason) {
        self.says([ProviderEvent::Finished(reason)]);
        self.fails(Cause::UpstreamClosed, None);
    }

    pub(super) fn tool_answers(&mut self, attempt: Attempt, call: u32) {
        assert!(self.tools.remove(&(attempt, call)), "it runs");
        self.feed(RunEvent::ToolEnded { attempt, call, result: ToolResult::Answered("42".into()) });
    }

    /// The status and cause that the response ends with; its ending becomes durable.
    pub(super) fn ends(&mut self) -> (Status, Option<Cause>) {
        self.ending_stored();
        assert!(self.concluded && self.ending.is_some(), "it has ended");
        let (ending, _) = self.run.transcript().ended().unwrap();
        (ending.status, ending.cause)
    }

    /// How many calls a provider was told to end.
    pub(super) fn cancelled_calls(&self) -> usize {
        self.count(|effect| matches!(effect, RunEffect::CancelAtProvider { .. }))
    }

    pub(super) fn count(&self, is: impl Fn(&RunEffect) -> bool) -> usize {
        self.effects.iter().filter(|effect| is(effect)).count()
    }

    /// How many facts of the log are so.
    pub(super) fn facts(&self, is: impl Fn(&Fact) -> bool) -> usize {
        self.log.iter().filter(|fact| is(fact)).count()
    }
}

pub(super) fn target(provider: &str) -> RunTarget {
    let retry = RetryPolicy { max_retries: 1, ..RetryPolicy::default() };
    RunTarget { target: Target::new(provider, "m"), queue_timeout: Duration::from_secs(30), retry, reattachable: false }
}

/// A stored foreground response with two targets, whose client can come back.
pub(super) fn setup() -> RunSetup {
    let mut request = Request::new("m", 100);
    request.tools = ["client_tool", "look", "write"].map(tool).into();
    let tools = BTreeMap::from([("look".into(), ToolAccess::ReadOnly), ("write".into(), ToolAccess::ReadWrite)]);
    RunSetup {
        id: id(),
        request: Arc::new(request),
        policy: RunPolicy {
            request_id: "req".into(),
            caller: "key".into(),
            disconnect: DisconnectPolicy::Grace(Duration::from_secs(10)),
            resumable: true,
            tools: ToolPolicy { server_tools: tools, ..ToolPolicy::default() },
        },
        limits: RunLimits {
            admission_patience: Duration::from_secs(5),
            outage_patience: Duration::from_secs(30),
            max_output_bytes: 1_000,
            max_output_parts: 40,
        },
        targets: vec![target("a"), target("b")],
        claims_key: false,
        can_rebuild_prompt: true,
    }
}

fn tool(name: &str) -> Tool {
    Tool::Function(FunctionTool { name: name.into(), description: None, parameters: None, strict: None })
}

pub(super) fn with_request(change: impl FnOnce(&mut Request)) -> RunSetup {
    let mut setup = setup();
    change(Arc::make_mut(&mut setup.request));
    setup
}

pub(super) fn in_background() -> RunSetup {
    with_request(|request| request.background = true)
}

pub(super) fn reattachable() -> RunSetup {
    let mut setup = setup();
    setup.targets.iter_mut().for_each(|target| target.reattachable = true);
    setup
}

pub(super) fn text(text: &str) -> ProviderEvent {
    ProviderEvent::Text { text: text.into(), logprobs: Vec::new() }
}

pub(super) fn opened() -> ProviderEvent {
    ProviderEvent::Opened { provider_response_id: Some("up_1".into()) }
}

pub(super) fn call(call: u32, name: &str) -> ProviderEvent {
    ProviderEvent::FunctionCallStarted { call, call_id: format!("call_{call}"), name: name.into() }
}

/// Where a run can be when something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Situation {
    Queued,
    BuildingPrompt,
    AwaitingSlot,
    Opening,
    Reading,
    Pausing,
    RunningTools,
    Settling,
    Over,
}

pub(super) const SITUATIONS: [Situation; 9] = [
    Situation::Queued,
    Situation::BuildingPrompt,
    Situation::AwaitingSlot,
    Situation::Opening,
    Situation::Reading,
    Situation::Pausing,
    Situation::RunningTools,
    Situation::Settling,
    Situation::Over,
];

/// A run that is there; its response is accepted.
pub(super) fn at(situation: Situation, mut setup: RunSetup) -> Performer {
    if matches!(situation, Situation::Queued | Situation::BuildingPrompt) {
        Arc::make_mut(&mut setup.request).background = true;
    }
    if situation == Situation::BuildingPrompt {
        setup.targets.clear();
    }
    let mut performer = performer(setup);
    if situation == Situation::AwaitingSlot {
        performer.answers.slot = None;
    }
    performer.feed(RunEvent::Client { client: 0, event: ClientEvent::Joined(ClientNeed::Ending) });
    performer.feed(RunEvent::Started);
    if situation == Situation::Opening {
        performer.feed(RunEvent::Store(StoreEvent::Admitted { facts: 2 }));
        return performer;
    }
    performer.admitted();
    match situation {
        Situation::Queued | Situation::AwaitingSlot | Situation::Opening => {}
        Situation::BuildingPrompt => performer.feed(RunEvent::BackgroundSlotGranted),
        Situation::Reading => performer.says([opened()]),
        Situation::Pausing => performer.fails(Cause::ProviderUnavailable, Some(503)),
        Situation::RunningTools => {
            performer.says([opened(), call(0, "look")]);
            performer.finishes(FinishReason::ToolCalls);
            performer.stored();
        }
        Situation::Settling | Situation::Over => {
            performer.says([opened(), text("Hello")]);
            performer.finishes(FinishReason::Stop);
        }
    }
    if situation == Situation::Over {
        performer.ending_stored();
    }
    performer
}
