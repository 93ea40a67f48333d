//! Turns, and the tools that are run between them.

use proptest::prelude::*;

use super::*;
use crate::Limit;
use antiphon_protocol::{Item, JsonObject, ResponseEvent};

/// A run whose first turn called these tools, and is over.
fn called(setup: RunSetup, names: &[&str]) -> Performer {
    let mut performer = performer(setup);
    performer.feed(RunEvent::Started);
    performer.admitted();
    call_tools(&mut performer, names);
    performer
}

fn call_tools(performer: &mut Performer, names: &[&str]) {
    let calls = names.iter().zip(0..).map(|(name, index)| call(index, name));
    performer.says([opened()].into_iter().chain(calls).collect::<Vec<_>>());
    performer.finishes(FinishReason::ToolCalls);
}

fn second() -> Attempt {
    Attempt { turn: 2, number: 1 }
}

/// The prompt of the next turn is built, and its attempt opens.
fn next_turn(performer: &mut Performer) {
    assert!(performer.building);
    performer.feed(RunEvent::PromptBuilt { targets: None });
    performer.stored();
}

#[test]
fn a_turn_with_calls_of_the_server_is_followed_by_its_tools_and_another_turn() {
    let mut performer = called(setup(), &["look", "write"]);
    let names: Vec<_> = performer.log.iter().map(Fact::name).collect();
    let from = names.iter().position(|name| *name == "server_calls_required").unwrap();
    assert_eq!(names[from..], ["server_calls_required", "finished", "tool_started", "tool_started"]);
    assert_eq!(performer.run.transcript().verdict(), None, "the finish is not decisive");
    assert_eq!((performer.slot, performer.tools.len()), (Slot::None, 0), "each waits for its own opening");
    let first = performer.log.len() as u64 - 1;
    performer.feed(RunEvent::Store(StoreEvent::Stored { facts: first }));
    assert_eq!(performer.tools.len(), 1);
    performer.stored();
    assert_eq!(performer.tools.len(), 2, "they run side by side");
    performer.tool_answers(FIRST, 1);
    assert!(!performer.building);
    performer.tool_answers(FIRST, 0);
    next_turn(&mut performer);
    assert_eq!(performer.reader, Some(second()));
    performer.says([opened(), text("It is 42.")]);
    performer.finishes(FinishReason::Stop);
    assert_eq!(performer.ends(), (Status::Completed, None));
    let releases = performer.count(|effect| matches!(effect, RunEffect::ReleaseSlot));
    assert_eq!(releases, 2, "the slot is given back while tools run, and asked for again");
}

#[test]
fn calls_of_the_client_end_it_after_those_of_the_server_have_run() {
    let mut performer = called(setup(), &["client_tool", "look"]);
    assert_eq!(performer.ending, None);
    performer.stored();
    assert_eq!(performer.tools.iter().copied().collect::<Vec<_>>(), [(FIRST, 1)]);
    performer.tool_answers(FIRST, 1);
    assert_eq!(performer.ends(), (Status::Completed, None));

    let mut alone = called(setup(), &["client_tool"]);
    assert_eq!(alone.ends(), (Status::Completed, None));
}

#[test]
fn calls_that_were_cut_are_not_run() {
    let mut performer = performer(setup());
    performer.feed(RunEvent::Started);
    performer.admitted();
    performer.says([opened(), call(0, "look")]);
    performer.finishes(FinishReason::Length);
    assert_eq!(performer.ends(), (Status::Incomplete, None));
    assert_eq!(performer.facts(|fact| matches!(fact, Fact::ToolStarted { .. })), 0);
}

#[test]
fn no_more_tools_run_at_once_than_the_policy_says() {
    let mut setup = setup();
    setup.policy.tools.max_concurrent = 2;
    let mut performer = called(setup, &["look"; 5]);
    for done in 0..5 {
        performer.stored();
        assert_eq!(performer.tools.len(), 2.min(5 - done));
        let (attempt, call) = *performer.tools.first().unwrap();
        performer.tool_answers(attempt, call);
    }
    assert!(performer.building);
}

#[test]
fn the_most_calls_are_told_to_the_model_once_and_then_end_it() {
    let mut performer = called(with_request(|request| request.max_tool_calls = Some(1)), &["look", "look"]);
    assert_eq!(performer.facts(|fact| matches!(fact, Fact::ToolStarted { .. })), 1);
    performer.stored();
    performer.tool_answers(FIRST, 0);
    let refused = |fact: &Fact| matches!(fact, Fact::ToolFailed { call: 1, .. });
    assert_eq!(performer.facts(refused), 1, "what is too many is not run");
    let told = |effect: &RunEffect| matches!(effect, RunEffect::BuildPrompt { turn: 2, tools: ToolOffer::Exhausted });
    assert_eq!(performer.count(told), 1);
    next_turn(&mut performer);
    call_tools(&mut performer, &["look"]);
    assert_eq!(performer.ends(), (Status::Incomplete, None));
    assert_eq!(performer.run.transcript().verdict(), Some(&Verdict::ToolLimit(Limit::ToolCalls)));
    let response = performer.run.transcript().response().unwrap();
    assert_eq!(response.incomplete_details.unwrap().reason, "max_tool_calls");
}

#[test]
fn the_last_turn_is_told_to_the_model_and_is_the_last_one() {
    let mut setup = setup();
    setup.policy.tools.max_turns = 3;
    let mut performer = called(setup, &["look"]);
    for turn in 1..3 {
        performer.stored();
        performer.tool_answers(Attempt { turn, number: 1 }, 0);
        let tools = if turn == 2 { ToolOffer::Exhausted } else { ToolOffer::Offered };
        let Some(RunEffect::BuildPrompt { tools: offered, .. }) = performer.effects.last() else { panic!("no prompt") };
        assert_eq!(*offered, tools);
        next_turn(&mut performer);
        call_tools(&mut performer, &["look"]);
    }
    assert_eq!(performer.ends(), (Status::Incomplete, None));
    let response = performer.run.transcript().response().unwrap();
    assert_eq!(response.incomplete_details.unwrap().reason, "max_turns");
}

#[test]
fn a_tools_output_is_cut_with_a_notice() {
    let mut setup = setup();
    setup.policy.tools.max_output_bytes = 64;
    let mut performer = called(setup, &["look"]);
    performer.stored();
    performer.tools.clear();
    performer.feed(RunEvent::ToolEnded { attempt: FIRST, call: 0, result: ToolResult::Answered("ü".repeat(100)) });
    let Some(Fact::ToolAnswered { output, .. }) = performer.log.last() else { panic!("no answer") };
    assert!(output.len() <= 64 && output.ends_with("was cut.]"), "{output}");
}

#[test]
fn a_failed_tool_is_told_to_the_model() {
    let mut performer = called(setup(), &["look"]);
    performer.stored();
    performer.tools.clear();
    let result = ToolResult::Failed("it is dark".into());
    performer.feed(RunEvent::ToolEnded { attempt: FIRST, call: 0, result: result.clone() });
    performer.feed(RunEvent::ToolEnded { attempt: FIRST, call: 0, result });
    assert_eq!(performer.facts(|fact| matches!(fact, Fact::ToolFailed { .. })), 1, "a second answer changes nothing");
    assert!(performer.building);
}

#[test]
fn output_of_earlier_turns_is_no_reason_against_another_attempt() {
    let mut performer = called(setup(), &["look"]);
    performer.stored();
    performer.tool_answers(FIRST, 0);
    next_turn(&mut performer);
    performer.fails(Cause::ProviderUnavailable, Some(503));
    performer.feed(RunEvent::TimerFired(Timer::Pause));
    performer.stored();
    assert_eq!(performer.reader, Some(Attempt { turn: 2, number: 2 }));
    performer.says([opened(), text("It")]);
    performer.fails(Cause::ProviderUnavailable, Some(503));
    assert_eq!(performer.ends(), (Status::Failed, Some(Cause::ProviderUnavailable)));
}

#[test]
fn the_prompt_is_kept_as_long_as_another_turn_may_need_it() {
    let dropped = |effect: &RunEffect| matches!(effect, RunEffect::DropPrompt);
    assert_eq!(at(Situation::Settling, setup()).count(dropped), 0);
    let mut setup = setup();
    setup.policy.tools.server_tools.clear();
    assert_eq!(at(Situation::Settling, setup).count(dropped), 1);
}

/// What a client sees of the arguments of each call, piece by piece and as a whole.
fn arguments_seen(performer: &Performer) -> Vec<(String, Option<String>)> {
    let mut transcript = Transcript::new(id());
    let mut events = Vec::new();
    performer.log.iter().for_each(|fact| transcript.apply(fact.clone(), &mut events));
    let mut seen: BTreeMap<u32, (String, Option<String>)> = BTreeMap::new();
    for event in events {
        if let ResponseEvent::OutputItemAdded { output_index, item, .. } = event {
            if matches!(*item, Item::FunctionCall(_)) {
                seen.insert(output_index, (String::new(), None));
            }
        } else if let ResponseEvent::FunctionCallArgumentsDelta { output_index, delta, .. } = event {
            seen.entry(output_index).or_default().0.push_str(&delta);
        } else if let ResponseEvent::FunctionCallArgumentsDone { output_index, arguments, .. } = event {
            seen.entry(output_index).or_default().1 = Some(arguments);
        }
    }
    seen.into_values().collect()
}

#[test]
fn the_pieces_of_a_calls_arguments_are_all_of_them_also_where_it_has_none() {
    let piece = |call, text: &str| ProviderEvent::FunctionCallArguments { call, text: text.into() };
    let finished = |call| ProviderEvent::FunctionCallFinished { call, extra: JsonObject::new() };
    let (stop, cut) = (FinishReason::ToolCalls, FinishReason::Length);
    let client_call = |number| call(number, "client_tool");
    for (said, reason, seen) in [
        (vec![client_call(0)], &stop, &[("{}", Some("{}"))] as &[_]),
        (vec![client_call(0), finished(0)], &stop, &[("{}", Some("{}"))]),
        (vec![client_call(0), piece(0, ""), finished(0)], &stop, &[("{}", Some("{}"))]),
        (
            vec![client_call(0), piece(0, "{\"a\""), client_call(0), piece(0, ":1}")],
            &stop,
            &[("{\"a\":1}", Some("{\"a\":1}"))],
        ),
        (vec![client_call(0), client_call(1), piece(1, "{ }")], &stop, &[("{}", Some("{}")), ("{ }", Some("{ }"))]),
        (vec![client_call(0)], &cut, &[("", None)]),
        (vec![client_call(0), client_call(1)], &cut, &[("{}", Some("{}")), ("", None)]),
        (vec![client_call(0), text("Then")], &cut, &[("{}", Some("{}"))]),
    ] {
        let mut performer = performer(setup());
        performer.feed(RunEvent::Started);
        performer.admitted();
        performer.says([vec![opened()], said.clone()].concat());
        performer.finishes(reason.clone());
        let seen: Vec<_> =
            seen.iter().map(|(pieces, whole)| ((*pieces).to_owned(), whole.map(str::to_owned))).collect();
        assert_eq!(arguments_seen(&performer), seen, "{said:?} {reason:?}");
        let one_by_one = performer.log;
        let mut performer = self::performer(setup());
        performer.feed(RunEvent::Started);
        performer.admitted();
        [vec![opened()], said].concat().into_iter().for_each(|event| performer.says([event]));
        performer.finishes(reason.clone());
        assert_eq!(performer.log, one_by_one);
    }
}

proptest! {
    #[test]
    fn what_is_cut_at_any_byte_is_text_and_no_longer_than_allowed(text in "[a-z\u{e9}\u{20ac}\u{1f30d}]{0,40}", most in 0..200usize) {
        let cut = ProviderEvent::Text { text: text.clone(), logprobs: Vec::new() }.cut(most);
        let Some(ProviderEvent::Text { text: kept, .. }) = cut else { panic!("text can be cut") };
        prop_assert!(kept.len() <= most && text.starts_with(&kept) && text.len().min(most) - kept.len() < 4);

        let mut setup = setup();
        setup.policy.tools.max_output_bytes = most;
        let mut performer = called(setup, &["look"]);
        performer.stored();
        performer.tools.clear();
        let result = ToolResult::Answered(text.clone());
        performer.feed(RunEvent::ToolEnded { attempt: FIRST, call: 0, result });
        let Some(Fact::ToolAnswered { output, .. }) = performer.log.last() else { panic!("no answer") };
        let kept = output.split('\n').next().unwrap();
        prop_assert!(text.starts_with(kept) && (output == &text) == (text.len() <= most));

        let refusal = crate::Violation::unknown_model(&text.repeat(10)).to_string();
        prop_assert!(refusal.chars().count() < 200);
    }
}
