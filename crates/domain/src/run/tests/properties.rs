//! Whatever happens to a run, in whatever order, it has one ending, and holds nothing after it.

use proptest::{prelude::*, sample::Index};

use super::{recovery::resumed, *};

/// Something that happens, as far as it makes sense where the run is; some of it makes none.
#[derive(Debug, Clone)]
enum Happening {
    Event(RunEvent),
    /// The reader's provider, or another attempt's, says this.
    Says(Attempt, Vec<ProviderEvent>, Stale),
    Ends(Attempt, Cause, Stale),
    ToolEnds(Index, bool, Stale),
    Fires(Index),
    /// The store is as far as this.
    Admitted,
    Stored(Index),
    EndingStored,
    Answers(Answers),
}

/// Whether something comes of what the run has going, or of what it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stale {
    No,
    Yes,
}

fn stale() -> impl Strategy<Value = Stale> {
    prop_oneof![6 => Just(Stale::No), 1 => Just(Stale::Yes)]
}

fn any_attempt() -> impl Strategy<Value = Attempt> {
    (1..3u16, 1..3u16).prop_map(|(turn, number)| Attempt { turn, number })
}

fn cause() -> impl Strategy<Value = Cause> {
    proptest::sample::select(vec![
        Cause::UpstreamClosed,
        Cause::ProviderUnavailable,
        Cause::ProviderRejected,
        Cause::FirstByteTimeout,
        Cause::ProviderReportedError,
        Cause::InternalError,
    ])
}

fn said() -> impl Strategy<Value = ProviderEvent> {
    let name = proptest::sample::select(vec!["look", "look", "write", "client_tool", "forbidden"]);
    let reason = proptest::sample::select(vec![FinishReason::Stop, FinishReason::ToolCalls, FinishReason::Length]);
    let tokens = || 0..3u64;
    prop_oneof![
        4 => Just(opened()),
        4 => proptest::sample::select(vec!["Hel", "lo", ""]).prop_map(text),
        4 => (0..3u32, name).prop_map(|(index, name)| call(index, name)),
        2 => tokens().prop_map(|output_tokens| ProviderEvent::Usage(antiphon_protocol::Usage {
            output_tokens,
            ..antiphon_protocol::Usage::default()
        })),
        3 => reason.prop_map(ProviderEvent::Finished),
        1 => Just(text(&"x".repeat(600))),
    ]
}

fn answers() -> impl Strategy<Value = Answers> {
    let slot = proptest::sample::select(vec![
        Some(RunEvent::SlotGranted),
        Some(RunEvent::SlotGranted),
        None,
        Some(RunEvent::SlotRefused),
        Some(RunEvent::ProviderUnknown),
    ]);
    (slot, 0..4u8, 0..4u8, any::<bool>()).prop_map(|(slot, breaker, budget, withdrawn)| Answers {
        slot,
        breaker: match breaker {
            0 => RunEvent::AttemptRefused { retry_after: Duration::from_secs(1) },
            _ => RunEvent::AttemptAdmitted,
        },
        budget: if budget == 0 { RunEvent::RetryDenied } else { RunEvent::RetryAllowed },
        withdrawn,
    })
}

fn command() -> impl Strategy<Value = RunEvent> {
    let commands = vec![RunCommand::Cancel, RunCommand::Stop, RunCommand::LeaveQueue];
    proptest::sample::select(commands).prop_map(RunEvent::Command)
}

fn client() -> impl Strategy<Value = RunEvent> {
    let events = vec![
        ClientEvent::Joined(ClientNeed::Events),
        ClientEvent::Joined(ClientNeed::Ending),
        ClientEvent::Served,
        ClientEvent::EmitterEnded,
        ClientEvent::Left,
    ];
    (0..3u64, proptest::sample::select(events)).prop_map(|(client, event)| RunEvent::Client { client, event })
}

/// Answers that nobody asked for, among others.
fn answer() -> impl Strategy<Value = RunEvent> {
    proptest::sample::select(vec![
        RunEvent::Started,
        RunEvent::BackgroundSlotGranted,
        RunEvent::BackgroundSlotGranted,
        RunEvent::PromptBuilt { targets: None },
        RunEvent::PromptBuilt { targets: Some(vec![target("c")]) },
        RunEvent::PromptFailed { cause: Cause::ModelUnavailable },
        RunEvent::RetryAllowed,
        RunEvent::RetryDenied,
        RunEvent::UsageEstimated(UsageEstimates::default()),
        RunEvent::SuccessWithdrawn { in_time: true },
    ])
}

fn store() -> impl Strategy<Value = RunEvent> {
    let waited = (0..40u64).prop_map(|seconds| StoreEvent::Silent { waited: Duration::from_secs(seconds) });
    let event = prop_oneof![
        4 => waited,
        2 => Just(StoreEvent::Refused),
        1 => Just(StoreEvent::OwnershipLost(Disowned::OtherOwner)),
        1 => Just(StoreEvent::OwnershipLost(Disowned::NotAdmitted(AdmissionFailure::KeyTaken))),
        1 => Just(StoreEvent::OwnershipLost(Disowned::Deleted)),
    ];
    event.prop_map(RunEvent::Store)
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        10 => (any_attempt(), prop::collection::vec(said(), 0..4), stale())
            .prop_map(|(attempt, events, stale)| Happening::Says(attempt, events, stale)),
        6 => (any_attempt(), cause(), stale()).prop_map(|(attempt, cause, stale)| Happening::Ends(attempt, cause, stale)),
        5 => (any::<Index>(), any::<bool>(), stale()).prop_map(|(tool, good, stale)| Happening::ToolEnds(tool, good, stale)),
        5 => any::<Index>().prop_map(Happening::Fires),
        4 => Just(Happening::Admitted),
        8 => any::<Index>().prop_map(Happening::Stored),
        3 => Just(Happening::EndingStored),
        3 => answers().prop_map(Happening::Answers),
        4 => answer().prop_map(Happening::Event),
        4 => client().prop_map(Happening::Event),
        1 => command().prop_map(Happening::Event),
        1 => store().prop_map(Happening::Event),
    ]
}

fn a_setup() -> impl Strategy<Value = RunSetup> {
    let policies =
        vec![DisconnectPolicy::Continue, DisconnectPolicy::Cancel, DisconnectPolicy::Grace(Duration::from_secs(10))];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let tools = (proptest::option::of(0..3u32), 1..4u16, 1..3u16);
    (flags, proptest::sample::select(policies), tools).prop_map(|(flags, disconnect, (most, turns, at_once))| {
        let (store, background, reattachable, claims_key, can_rebuild_prompt) = flags;
        let mut setup = with_request(|request| {
            (request.store, request.background, request.max_tool_calls) = (store, background && store, most);
        });
        setup.policy.disconnect = disconnect;
        (setup.policy.tools.max_turns, setup.policy.tools.max_concurrent) = (turns, at_once);
        setup.targets.iter_mut().for_each(|target| target.reattachable = reattachable);
        RunSetup { claims_key, can_rebuild_prompt, ..setup }
    })
}

impl Performer {
    fn happens(&mut self, happening: Happening) {
        let end = |attempt, cause| RunEvent::ProviderEnded {
            attempt,
            failure: Failure::new(cause, None, None),
            jitter: Jitter::LEAST,
        };
        match happening {
            Happening::Event(event) => self.feed(event),
            Happening::Says(_, events, Stale::No) => {
                if let Some(attempt) = self.reader {
                    self.feed(RunEvent::ProviderSaid { attempt, events });
                }
            }
            Happening::Says(attempt, events, Stale::Yes) => {
                if self.reader != Some(attempt) {
                    let before = self.log.len();
                    self.feed(RunEvent::ProviderSaid { attempt, events });
                    assert_eq!(self.log.len(), before, "what is not read is not recorded");
                }
            }
            Happening::Ends(_, cause, Stale::No) => {
                if let Some(attempt) = self.reader {
                    self.feed(end(attempt, cause));
                }
            }
            Happening::Ends(attempt, cause, Stale::Yes) if self.reader != Some(attempt) => {
                self.feed(end(attempt, cause))
            }
            Happening::Ends(..) => {}
            Happening::ToolEnds(index, good, stale) => self.tool_ends(index, good, stale),
            Happening::Fires(index) => {
                if !self.timers.is_empty() {
                    let timer = *index.get(&self.timers.iter().collect::<Vec<_>>());
                    self.feed(RunEvent::TimerFired(*timer));
                }
            }
            Happening::Admitted => {
                if self.run.admission != super::super::machine::AdmissionState::Accepted && self.started() {
                    let facts = if self.run.setup.request.store { self.log.len() as u64 } else { 0 };
                    self.feed(RunEvent::Store(StoreEvent::Admitted { facts }));
                }
            }
            Happening::Stored(index) => self.is_stored(index.index(self.log.len() + 1) as u64),
            Happening::EndingStored => {
                if self.ending.is_some() {
                    self.feed(RunEvent::Store(StoreEvent::EndingStored));
                }
            }
            Happening::Answers(answers) => self.answers = answers,
        }
    }

    fn started(&self) -> bool {
        !self.log.is_empty()
    }

    /// The store keeps facts of what is stored and admitted, and no terminal event before its ending.
    fn is_stored(&mut self, facts: u64) {
        let accepted = self.run.admission == super::super::machine::AdmissionState::Accepted;
        if accepted && self.run.setup.request.store && self.ending.is_none() {
            self.feed(RunEvent::Store(StoreEvent::Stored { facts }));
        }
    }

    fn tool_ends(&mut self, index: Index, good: bool, stale: Stale) {
        let result = if good { ToolResult::Answered("42".into()) } else { ToolResult::Failed("no".into()) };
        if stale == Stale::Yes {
            let attempt = Attempt { turn: 9, number: 9 };
            self.feed(RunEvent::ToolEnded { attempt, call: 0, result });
        } else if !self.tools.is_empty() {
            let (attempt, call) = **index.get(&self.tools.iter().collect::<Vec<_>>());
            self.tools.remove(&(attempt, call));
            self.feed(RunEvent::ToolEnded { attempt, call, result });
        }
    }

    /// Everything that the run waits for is answered, until it has left.
    fn drain(&mut self) {
        self.answers = Answers::default();
        for _ in 0..2_000 {
            if self.farewell.is_some() {
                return;
            }
            self.happens(Happening::Admitted);
            self.is_stored(self.log.len() as u64);
            if self.slot == Slot::Awaited {
                self.slot = Slot::Held;
                self.feed(RunEvent::SlotGranted);
            }
            self.feed(RunEvent::BackgroundSlotGranted);
            self.feed(RunEvent::PromptBuilt { targets: None });
            if let Some(attempt) = self.reader {
                self.feed(RunEvent::ProviderSaid {
                    attempt,
                    events: vec![ProviderEvent::Finished(FinishReason::Stop)],
                });
                self.happens(Happening::Ends(attempt, Cause::ProviderRejected, Stale::No));
            }
            if let Some((attempt, call)) = self.tools.pop_first() {
                let result = ToolResult::Answered("42".into());
                self.feed(RunEvent::ToolEnded { attempt, call, result });
            }
            for timer in self.timers.clone() {
                self.feed(RunEvent::TimerFired(timer));
            }
            self.feed(RunEvent::UsageEstimated(UsageEstimates::default()));
            self.happens(Happening::EndingStored);
            for client in 0..3 {
                self.feed(RunEvent::Client { client, event: ClientEvent::EmitterEnded });
                self.feed(RunEvent::Client { client, event: ClientEvent::Left });
            }
        }
        panic!("it never came to its end: {:?}", self.run.state);
    }

    fn assert_ended_once(&self) {
        let endings = self.facts(|fact| matches!(fact, Fact::Ended { .. }));
        match self.farewell {
            Some(Farewell::Left) if self.concluded => {
                assert_eq!((endings, self.ending.is_some()), (1, true));
                assert_eq!(self.background_over, self.run.is_background());
            }
            // Another response has the key: there is nothing to end.
            Some(Farewell::Left) => assert!(!self.concluded),
            Some(Farewell::HandedOver) => assert_eq!((endings, self.concluded), (0, false)),
            Some(Farewell::Abandoned) => assert!(endings <= 1 && !self.concluded),
            None => panic!("it has not left"),
        }
        for (call, times) in &self.tools_run {
            assert_eq!(*times, 1, "{call:?} ran again");
        }
        self.assert_no_turn_is_decisive_that_has_server_calls();
    }

    /// A finish with calls that the server runs settles nothing, however far its tools are.
    fn assert_no_turn_is_decisive_that_has_server_calls(&self) {
        let mut transcript = Transcript::new(id());
        for fact in &self.log {
            transcript.apply(fact.clone(), &mut Vec::new());
            let open = transcript.server_calls().filter(|calls| !calls.all_ended());
            let finished = open.filter(|calls| transcript.has_finished(calls.attempt)).is_some();
            assert!(!(finished && transcript.is_finished()), "a finish with open calls of the server is decisive");
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_there_is_one_ending_and_nothing_is_held_after_it(
        setup in a_setup(),
        first in answers(),
        happenings in prop::collection::vec(happening(), 0..60),
    ) {
        let mut performer = performer(setup);
        performer.answers = first;
        performer.feed(RunEvent::Client { client: 0, event: ClientEvent::Joined(ClientNeed::Events) });
        performer.feed(RunEvent::Started);
        happenings.into_iter().for_each(|happening| performer.happens(happening));
        performer.drain();
        performer.assert_ended_once();
    }

    #[test]
    fn wherever_the_process_dies_another_one_brings_the_response_to_its_end(
        setup in a_setup(),
        happenings in prop::collection::vec(happening(), 0..60),
        cut in any::<Index>(),
        later in prop::collection::vec(happening(), 0..20),
    ) {
        let mut setup = setup;
        Arc::make_mut(&mut setup.request).store = true;
        let mut before = performer(setup.clone());
        before.feed(RunEvent::Started);
        happenings.into_iter().for_each(|happening| before.happens(happening));
        let log = &before.log[..=cut.index(before.log.len())];
        let ended = log.iter().any(|fact| matches!(fact, Fact::Ended { .. }));
        prop_assume!(!ended && log.len() > 1);
        let mut after = resumed(setup, log);
        later.into_iter().for_each(|happening| after.happens(happening));
        after.drain();
        after.assert_ended_once();
    }
}
