//! What becomes of a run whose process is gone, wherever its log ends.

use super::*;
use antiphon_protocol::JsonObject;
use serde_json::Value;

/// The log of a run, cut after so many facts.
fn fold(log: &[Fact]) -> Transcript {
    let mut transcript = Transcript::new(id());
    log.iter().cloned().for_each(|fact| transcript.apply(fact, &mut Vec::new()));
    transcript
}

/// Goes on with that log in another process.
pub(super) fn resumed(setup: RunSetup, log: &[Fact]) -> Performer {
    let said = log.iter().filter(|fact| matches!(fact, Fact::Provider { .. })).cloned().collect();
    let run = Run::resume(setup, ResumedRun { transcript: fold(log), said });
    let mut performer = Performer::of(run, log.to_vec());
    performer.feed(RunEvent::Started);
    performer
}

fn log_at(situation: Situation, setup: &RunSetup) -> Vec<Fact> {
    let mut performer = at(situation, setup.clone());
    if situation == Situation::Opening {
        performer.stored();
    }
    performer.log
}

#[test]
fn the_table_of_what_recovery_does() {
    let name = |recovery: &Recovery| match recovery {
        Recovery::Settle => "settle",
        Recovery::Run => "run",
        Recovery::Reattach(_) => "reattach",
        Recovery::RunTools(_) => "run tools",
        Recovery::NextTurn(_) => "next turn",
    };
    let background = || {
        let mut setup = setup();
        Arc::make_mut(&mut setup.request).background = true;
        setup
    };
    let cancelling = || {
        let mut setup = setup();
        setup.policy.disconnect = DisconnectPolicy::Cancel;
        setup
    };
    for (setup, expected) in [
        (background(), ["run", "settle", "reattach", "settle", "run tools", "next turn", "settle"]),
        (setup(), ["settle", "settle", "reattach", "settle", "settle", "settle", "settle"]),
        (cancelling(), ["settle"; 7]),
    ] {
        let policy = Fact::RunPolicySet { run_policy: Box::new(setup.policy.clone()) };
        let request = Box::new(Request::clone(&setup.request));
        let accepted = vec![Fact::Accepted { id: id(), at: NOW, request }, policy];
        let opening = Fact::AttemptOpening { attempt: FIRST, at: NOW, provider: "a".into(), model: "m".into() };
        let said = |event| Fact::Provider { attempt: FIRST, event };
        let failed = Fact::ProviderFailed { attempt: FIRST, cause: Cause::ProviderUnavailable };
        let required = Fact::ServerCallsRequired { attempt: FIRST, calls: vec![0] };
        let finished = said(ProviderEvent::Finished(FinishReason::ToolCalls));
        let started = Fact::ToolStarted { attempt: FIRST, call: 0 };
        let answered = Fact::ToolAnswered { attempt: FIRST, call: 0, output: "42".into() };
        let tools = vec![opening.clone(), said(opened()), said(call(0, "look")), required, finished.clone(), started];
        let logs = [
            vec![],
            vec![opening.clone()],
            vec![opening.clone(), said(opened())],
            vec![opening.clone(), failed],
            tools.clone(),
            [tools, vec![answered]].concat(),
            vec![opening, said(opened()), finished],
        ];
        let found = logs.map(|log| name(&fold(&[accepted.clone(), log].concat()).recovery()));
        assert_eq!(found, expected, "{setup:?}");
    }
}

#[test]
fn what_had_not_begun_waits_again_and_is_built_anew() {
    let log = log_at(Situation::Queued, &setup());
    let mut performer = resumed(RunSetup { targets: Vec::new(), ..in_background() }, &log);
    assert_eq!(performer.slot, Slot::None);
    performer.feed(RunEvent::BackgroundSlotGranted);
    performer.feed(RunEvent::PromptBuilt { targets: Some(vec![target("a")]) });
    performer.stored();
    performer.finishes(FinishReason::Stop);
    assert_eq!(performer.ends(), (Status::Completed, None));
}

#[test]
fn a_call_is_listened_to_again_and_nothing_is_asked_anew() {
    let log = log_at(Situation::Reading, &reattachable());
    let mut performer = resumed(reattachable(), &log);
    assert_eq!(performer.reader, Some(FIRST));
    assert!(performer.timers.contains(&Timer::Grace), "nobody listens yet");
    performer.says([opened(), text("Hello")]);
    performer.finishes(FinishReason::Stop);
    assert_eq!(performer.ends(), (Status::Completed, None));
    assert_eq!(performer.count(|effect| matches!(effect, RunEffect::OpenAttempt { .. })), 0);

    // That it was not found again is no reason of its own: its process was lost.
    // Word for word, also where the provider's first time had no word.
    let bare =
        [opened(), call(0, "client_tool"), ProviderEvent::FunctionCallFinished { call: 0, extra: JsonObject::new() }];
    let mut before = at(Situation::Reading, reattachable());
    before.says(bare[1..].to_vec());
    let mut performer = resumed(reattachable(), &before.log);
    performer.says(bare);
    performer.says([text("Hello")]);
    assert_eq!(performer.log.len(), before.log.len() + 1, "{:?}", performer.log);
    let mut lost = resumed(reattachable(), &log);
    lost.fails(Cause::ProviderRejected, Some(404));
    assert_eq!((lost.ends(), lost.cancelled_calls()), ((Status::Failed, Some(Cause::ServerInterrupted)), 0));
    // What the provider says is one.
    let mut told = resumed(reattachable(), &log);
    told.fails(Cause::ProviderReportedError, None);
    assert_eq!(told.ends(), (Status::Failed, Some(Cause::ProviderReportedError)));
}

/// Version 0.1.0 kept what is sealed and the fields of a provider in another form, and gave a call without arguments no piece.
#[test]
fn a_call_that_an_earlier_version_began_goes_on_after_an_upgrade() {
    let sealed = |data: &str| ProviderEvent::EncryptedReasoning { encrypted_content: data.to_owned() };
    let called = |fields: &[&str]| {
        let extra: JsonObject = fields.iter().map(|key| ((*key).to_owned(), Value::from(1))).collect();
        [call(0, "client_tool"), ProviderEvent::FunctionCallFinished { call: 0, extra }]
    };
    let mut log = log_at(Situation::Reading, &reattachable());
    let before = [&[sealed("gAAAA")][..], &called(&["a", "b"])].concat();
    log.extend(before.into_iter().map(|event| Fact::Provider { attempt: FIRST, event }));
    let mut performer = resumed(reattachable(), &log);
    performer.says([&[opened(), sealed("antiphon.1.x")][..], &called(&["b", "a", "antiphon_origin"])].concat());
    performer.finishes(FinishReason::ToolCalls);
    assert_eq!(performer.ends(), (Status::Completed, None));
    assert_eq!(performer.facts(|fact| matches!(fact, Fact::ProviderFailed { .. })), 0);
}

#[test]
fn tools_that_only_read_run_again_and_others_are_told_to_the_model() {
    let mut before = background_reading();
    before.says([call(0, "look"), call(1, "write"), call(2, "look")]);
    before.finishes(FinishReason::ToolCalls);
    before.stored();
    before.tool_answers(FIRST, 2);
    let mut performer = resumed(in_background(), &before.log);
    assert_eq!(performer.tools.iter().copied().collect::<Vec<_>>(), [(FIRST, 0)]);
    assert_eq!(performer.facts(|fact| matches!(fact, Fact::ToolFailed { call: 1, .. })), 1);
    performer.tool_answers(FIRST, 0);
    assert!(performer.building);
    performer.feed(RunEvent::PromptBuilt { targets: Some(vec![target("a")]) });
    performer.stored();
    assert_eq!(performer.reader, Some(Attempt { turn: 2, number: 1 }));
}

fn background_reading() -> Performer {
    let mut performer = at(Situation::Queued, setup());
    performer.feed(RunEvent::BackgroundSlotGranted);
    performer.stored();
    performer.says([opened()]);
    performer
}

#[test]
fn a_response_is_left_to_another_process_only_where_that_can_go_on() {
    let handed_over = Some(Farewell::HandedOver);
    let mut queued = at(Situation::Queued, setup());
    queued.feed(RunEvent::Command(RunCommand::LeaveQueue));
    assert_eq!(queued.farewell, handed_over);

    let mut cannot = at(Situation::Queued, RunSetup { can_rebuild_prompt: false, ..setup() });
    cannot.feed(RunEvent::Command(RunCommand::LeaveQueue));
    assert_eq!(cannot.farewell, None, "it goes on as long as the node does");
    cannot.feed(RunEvent::Command(RunCommand::Stop));
    assert_eq!(cannot.ends(), (Status::Failed, Some(Cause::ServerInterrupted)));

    let mut traceable = at(Situation::Reading, reattachable());
    traceable.feed(RunEvent::Command(RunCommand::LeaveQueue));
    assert_eq!(traceable.farewell, None, "it does not wait in a queue");
    traceable.stored();
    traceable.feed(RunEvent::Command(RunCommand::Stop));
    assert_eq!(traceable.farewell, handed_over);
    assert_eq!(traceable.cancelled_calls(), 0);

    let mut not_durable = at(Situation::Reading, reattachable());
    not_durable.feed(RunEvent::Command(RunCommand::Stop));
    assert_eq!(not_durable.ends(), (Status::Failed, Some(Cause::ServerInterrupted)));

    let mut plain = at(Situation::Reading, setup());
    plain.stored();
    plain.feed(RunEvent::Command(RunCommand::Stop));
    assert_eq!(plain.ends(), (Status::Failed, Some(Cause::ServerInterrupted)));
}

#[test]
fn only_what_can_go_on_is_resumed_and_what_is_cancelled_only_to_stop_its_provider() {
    let call =
        LostCall { attempt: FIRST, provider: "a".into(), model: "m".into(), provider_response_id: "up_1".into() };
    let reasons = [SettleReason::NodeLost, SettleReason::Cancelled, SettleReason::SupervisorFailed];
    for (recovery, expected) in [
        (Recovery::Settle, [false, false, false]),
        (Recovery::Run, [true, false, false]),
        (Recovery::Reattach(call), [true, true, false]),
        (Recovery::NextTurn(FIRST), [true, false, false]),
    ] {
        assert_eq!(reasons.map(|reason| recovery.resumes(reason)), expected, "{recovery:?}");
        assert!(!recovery.resumes(SettleReason::FailedUnannounced), "{recovery:?}");
    }
}

#[test]
fn a_response_that_ends_from_outside_has_the_same_ending_with_its_log_and_without() {
    for reason in [SettleReason::NodeLost, SettleReason::Cancelled, SettleReason::SupervisorFailed] {
        let mut log = log_at(Situation::Reading, &setup());
        log.extend([reason.fact(NOW), Fact::Ended { at: NOW }]);
        let transcript = fold(&log);
        assert_eq!(transcript.ended().map(|(ending, _)| ending), Some(&reason.verdict().ending()));
    }
}
