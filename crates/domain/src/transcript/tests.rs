#![expect(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::{RecordedEnding, Transcript, Verdict};
use crate::{
    Attempt, Cause, Fact, FinishReason, Frame, Limit, ProviderEvent, ProviderRejection, Request, Timestamp, View,
};
use antiphon_protocol::{Item, ItemStatus, JsonObject, LogProb, ResponseEvent, ResponseId, Status, Usage};

const AT: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

fn id() -> ResponseId {
    "resp_0198c0de00007000800000000000abcd".parse().unwrap()
}

fn created() -> Fact {
    let request = Request::new("m", 2048);
    Fact::Accepted { id: id(), at: AT, request: Box::new(request) }
}

fn opening(attempt: Attempt) -> Fact {
    Fact::AttemptOpening { attempt, at: AT, provider: "p".into(), model: "m".into() }
}

/// What the provider said in its first attempt.
fn said(event: ProviderEvent) -> Fact {
    Fact::Provider { attempt: Attempt::FIRST, event }
}

fn text_of(attempt: Attempt, text: &str) -> Fact {
    Fact::Provider { attempt, event: ProviderEvent::Text { text: text.into(), logprobs: Vec::new() } }
}

fn text(text: &str) -> Fact {
    text_of(Attempt::FIRST, text)
}

fn finished(reason: FinishReason) -> Fact {
    said(ProviderEvent::Finished(reason))
}

fn call() -> Fact {
    said(ProviderEvent::FunctionCallStarted { call: 0, call_id: "c".into(), name: "f".into() })
}

const END: Fact = Fact::Ended { at: AT };

fn fold(facts: &[Fact]) -> (Transcript, Vec<ResponseEvent>) {
    let mut transcript = Transcript::new(id());
    let mut events = Vec::new();
    for fact in facts {
        transcript.apply(fact.clone(), &mut events);
    }
    (transcript, events)
}

/// Folds `created, opening, facts..., ended` and compares status, cause and finish reason.
fn check(facts: &[Fact], status: Status, cause: Option<Cause>, finish_reason: Option<&str>) {
    let facts = [&[created(), opening(Attempt::FIRST)], facts, &[END]].concat();
    let (transcript, events) = fold(&facts);
    let (ending, _) = transcript.ended().unwrap();
    assert_eq!((ending.status, ending.cause, ending.finish_reason.as_deref()), (status, cause, finish_reason));
    assert_well_formed(&events);
}

#[test]
fn the_first_decisive_fact_settles_the_ending() {
    use Status::{Cancelled, Completed, Failed, Incomplete};
    let cancel = || Fact::CancelRequested { at: AT };
    let failed = |cause| Fact::ProviderFailed { attempt: Attempt::FIRST, cause };
    check(&[text("a"), finished(FinishReason::Stop)], Completed, None, Some("stop"));
    check(&[text("a"), finished(FinishReason::Length)], Incomplete, None, Some("length"));
    check(&[finished(FinishReason::ContentFilter)], Incomplete, None, Some("content_filter"));
    check(&[text("a"), cancel()], Cancelled, None, Some("cancelled"));
    check(&[finished(FinishReason::Stop), cancel()], Completed, None, Some("stop"));
    check(&[cancel(), finished(FinishReason::Stop)], Cancelled, None, Some("cancelled"));
    check(&[text("a"), Fact::ClientLost { at: AT }], Incomplete, None, None);
    check(&[text("a"), failed(Cause::UpstreamClosed)], Failed, Some(Cause::UpstreamClosed), None);
    check(&[failed(Cause::IdleTimeout), cancel()], Cancelled, None, Some("cancelled"));
    check(&[Fact::NodeLost { at: AT }], Failed, Some(Cause::ServerInterrupted), None);
    check(&[finished(FinishReason::Stop), Fact::NodeLost { at: AT }], Completed, None, Some("stop"));
    check(&[Fact::LimitReached { limit: Limit::OutputBytes }], Failed, Some(Cause::ContentTooLarge), None);
    check(&[Fact::DeadlinePassed { at: AT }], Failed, Some(Cause::DeadlineExceeded), None);
    check(&[text("no more than this")], Failed, Some(Cause::InternalError), None);
}

#[test]
fn a_second_attempt_forgets_the_failure_of_the_first() {
    let second = Attempt { turn: 1, number: 2 };
    let facts = [
        created(),
        opening(Attempt::FIRST),
        Fact::ProviderFailed { attempt: Attempt::FIRST, cause: Cause::ConnectTimeout },
        opening(second),
        text("late"),
        text_of(second, "hello"),
        Fact::Provider { attempt: second, event: ProviderEvent::Finished(FinishReason::Stop) },
        END,
    ];
    let (transcript, _) = fold(&facts);
    assert_eq!(transcript.status(), Status::Completed);
    assert_eq!(transcript.text().as_deref(), Some("hello"));
}

/// A call that was refused with these words.
fn rejected(attempt: Attempt, message: &str) -> Fact {
    let rejection = ProviderRejection { message: Some(message.into()), ..ProviderRejection::of_status(400) };
    Fact::RequestRejected { attempt, cause: Cause::ProviderRejected, rejection: Box::new(rejection) }
}

#[test]
fn the_words_of_the_last_refusal_are_told_and_only_where_it_decides() {
    let second = Attempt { turn: 1, number: 2 };
    let (first_failed, second_failed) = (rejected(Attempt::FIRST, "first"), rejected(second, "second"));
    let closed = Fact::ProviderFailed { attempt: second, cause: Cause::UpstreamClosed };
    let message = |after: &[Fact]| {
        let facts = [&[created(), opening(Attempt::FIRST), first_failed.clone()], after, &[END]].concat();
        let (transcript, _) = fold(&facts);
        transcript.response().unwrap().error.map(|failure| failure.message)
    };
    assert_eq!(message(&[]).as_deref(), Some("first"));
    assert_eq!(message(&[opening(second), second_failed]).as_deref(), Some("second"));
    assert_eq!(message(&[opening(second), closed]).as_deref(), Some(Cause::UpstreamClosed.message()));
    assert_eq!(message(&[Fact::NodeLost { at: AT }]).as_deref(), Some(Cause::ServerInterrupted.message()));
    assert_eq!(message(&[Fact::CancelRequested { at: AT }]), None);
}

#[test]
fn a_tool_turn_goes_on_in_new_items() {
    let second = Attempt { turn: 2, number: 1 };
    let first = Attempt::FIRST;
    let facts = [
        created(),
        opening(first),
        call(),
        finished(FinishReason::ToolCalls),
        Fact::ToolStarted { attempt: first, call: 0 },
        Fact::ToolAnswered { attempt: first, call: 0, output: "42".into() },
        opening(second),
        text_of(second, "It is 42."),
        Fact::Provider { attempt: second, event: ProviderEvent::Finished(FinishReason::Stop) },
        END,
    ];
    let (transcript, events) = fold(&facts);
    assert_well_formed(&events);
    assert_eq!(transcript.status(), Status::Completed);
    let [Item::FunctionCall(call), Item::FunctionCallOutput(output), Item::Message(_)] = transcript.items() else {
        panic!("{:?}", transcript.items());
    };
    assert_eq!((call.arguments.as_str(), output.output.as_str()), ("{}", "42"));
}

#[test]
fn a_crash_while_a_tool_ran_is_a_failure_and_not_the_end_of_the_turn() {
    let facts = [
        call(),
        finished(FinishReason::ToolCalls),
        Fact::ToolStarted { attempt: Attempt::FIRST, call: 0 },
        Fact::NodeLost { at: AT },
    ];
    check(&facts, Status::Failed, Some(Cause::ServerInterrupted), None);
}

#[test]
fn a_cut_function_call_has_no_whole_arguments() {
    let facts = [
        created(),
        opening(Attempt::FIRST),
        call(),
        said(ProviderEvent::FunctionCallArguments { call: 0, text: "{\"a\":".into() }),
        Fact::CancelRequested { at: AT },
        END,
    ];
    let (_, events) = fold(&facts);
    assert!(!events.iter().any(|event| matches!(event, ResponseEvent::FunctionCallArgumentsDone { .. })));
    assert!(events.iter().any(|event| matches!(event,
        ResponseEvent::OutputItemDone { item, .. }
            if matches!(&**item, Item::FunctionCall(call) if call.status == ItemStatus::Incomplete))));
}

#[test]
fn obfuscation_pads_deltas_alike_in_every_replay() {
    let (_, events) = fold(&[created(), opening(Attempt::FIRST), text("a"), text("b")]);
    let view = View { include_obfuscation: true };
    for event in &events {
        let frame = Frame::encode(event);
        let padded = frame.viewed(view, id());
        assert_eq!(padded, frame.viewed(view, id()));
        assert_eq!(padded != frame.bytes, event.delta().is_some());
        let json = std::str::from_utf8(&padded).unwrap().split_once("data: ").unwrap().1;
        let value: Value = serde_json::from_str(json.trim()).unwrap();
        assert_eq!(value.get("obfuscation").is_some(), event.delta().is_some());
    }
}

#[test]
fn what_a_provider_adds_to_an_item_never_stands_for_what_the_item_is() {
    let extra = |json: Value| serde_json::from_value::<JsonObject>(json).unwrap();
    let lie = extra(serde_json::json!({
        "id": "x", "type": "x", "status": "x", "role": "x", "content": "x", "summary": "x", "name": "x",
        "arguments": "x", "call_id": "x", "encrypted_content": "x", "phase": "commentary",
    }));
    let facts = [
        created(),
        opening(Attempt::FIRST),
        said(ProviderEvent::Reasoning { text: "Hm.".into() }),
        said(ProviderEvent::ItemFinished { extra: lie.clone() }),
        text("Hello."),
        said(ProviderEvent::ItemFinished { extra: lie.clone() }),
        call(),
        said(ProviderEvent::FunctionCallFinished { call: 0, extra: lie }),
        finished(FinishReason::ToolCalls),
        END,
    ];
    let (transcript, events) = fold(&facts);
    assert_well_formed(&events);
    for item in transcript.items() {
        let json = serde_json::to_string(item).unwrap();
        assert!(!json.contains(r#":"x""#) && json.contains("commentary"), "{json}");
    }
}

/// A part of an item begins or ends: one at a time, counted without a gap, each once.
fn assert_part_fits(parts: &mut BTreeMap<(u64, u64, bool), bool>, place: (u64, u64, bool), begins: bool) {
    if !begins {
        assert_eq!(parts.insert(place, false), Some(true), "a part ends once");
        return;
    }
    assert!(!parts.iter().any(|((item, ..), open)| *item == place.0 && *open), "one part of an item at a time");
    let before = parts.keys().filter(|key| (key.0, key.2) == (place.0, place.2)).count();
    assert_eq!(place.1, before as u64, "parts are counted without a gap");
    parts.insert(place, true);
}

/// What must hold of every stream, whatever the facts were.
fn assert_well_formed(events: &[ResponseEvent]) {
    let mut items: BTreeMap<u64, Value> = BTreeMap::new();
    let mut done: BTreeMap<u64, Value> = BTreeMap::new();
    let mut said: BTreeMap<(u64, u64), String> = BTreeMap::new();
    let mut summed_up: BTreeMap<(u64, u64), String> = BTreeMap::new();
    let mut parts: BTreeMap<(u64, u64, bool), bool> = BTreeMap::new();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.sequence_number(), number as u64, "sequence numbers have no gap");
        assert_eq!(event.is_terminal(), number + 1 == events.len() && event.is_terminal(), "nothing follows the end");
        let json = serde_json::to_value(event).unwrap();
        assert_eq!(json["type"], event.name());
        let index = json.get("output_index").and_then(Value::as_u64);
        let part = json.get("content_index").and_then(Value::as_u64).unwrap_or(0);
        let summary = json.get("summary_index").and_then(Value::as_u64);
        if let Some(index) = index.filter(|_| !event.name().starts_with("response.output_item")) {
            assert!(items.contains_key(&index) && !done.contains_key(&index), "{} of an open item", event.name());
            assert_eq!(json["item_id"], items[&index]["id"]);
        }
        match event.name() {
            "response.output_item.added" => {
                assert_eq!(index, Some(items.len() as u64), "output indexes are dense");
                items.insert(index.unwrap(), json["item"].clone());
            }
            "response.output_item.done" => {
                let added = &items[&index.unwrap()];
                assert_eq!((&json["item"]["id"], &json["item"]["type"]), (&added["id"], &added["type"]));
                assert!(done.insert(index.unwrap(), json["item"].clone()).is_none(), "an item ends once");
            }
            name if name.contains("_part.") => {
                let place = (index.unwrap(), summary.unwrap_or(part), summary.is_some());
                assert_part_fits(&mut parts, place, name.ends_with(".added"));
            }
            "response.reasoning_summary_text.delta" => {
                let place = (index.unwrap(), summary.unwrap());
                summed_up.entry(place).or_default().push_str(json["delta"].as_str().unwrap());
            }
            "response.reasoning_summary_text.done" => {
                assert_eq!(json["text"], summed_up[&(index.unwrap(), summary.unwrap())]);
            }
            name if name.ends_with(".delta") => {
                said.entry((index.unwrap(), part)).or_default().push_str(event.delta().unwrap_or_default());
            }
            "response.output_text.done" | "response.reasoning_text.done" => {
                assert_eq!(json["text"], said.get(&(index.unwrap(), part)).map_or("", String::as_str));
            }
            "response.refusal.done" => assert_eq!(json["refusal"], said[&(index.unwrap(), part)]),
            "response.function_call_arguments.done" => {
                let whole = said.get(&(index.unwrap(), 0)).map_or("{}", String::as_str);
                assert_eq!(json["arguments"], whole);
            }
            _ => {}
        }
    }
    if let Some(last) = events.last().filter(|event| event.is_terminal()) {
        assert_eq!(items.len(), done.len(), "every item that was added is done");
        assert!(parts.values().all(|open| !open), "every part that was added is done");
        assert_output(last, done);
    }
}

fn assert_output(last: &ResponseEvent, done: BTreeMap<u64, Value>) {
    let output = serde_json::to_value(&last.response().unwrap().output).unwrap();
    assert_eq!(output, Value::Array(done.into_values().collect()), "the final output is the items as they ended");
}

fn attempt() -> impl Strategy<Value = Attempt> {
    (1..4u16, 1..3u16).prop_map(|(turn, number)| Attempt { turn, number })
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z ]{1,8}", "\\PC{1,4}"]
}

fn fields() -> impl Strategy<Value = JsonObject> {
    let word = || prop::sample::select(vec!["type", "id", "status", "error", "code", "web_search_call", "ws_1", ""]);
    prop::collection::vec((word(), word()), 0..4)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect())
}

/// What providers say that have more than text and calls.
fn rich_event() -> impl Strategy<Value = ProviderEvent> {
    let event = || {
        prop::sample::select(vec![
            "response.web_search_call.searching",
            "response.code_interpreter_call_code.delta",
            "response.completed",
            "acme:event",
        ])
    };
    let logprob = |token: String| LogProb { token, logprob: -0.5, bytes: vec![1], top_logprobs: Vec::new() };
    prop_oneof![
        4 => words().prop_map(move |text| ProviderEvent::Text { logprobs: vec![logprob(text.clone())], text }),
        2 => fields().prop_map(|annotation| ProviderEvent::Annotation { annotation }),
        4 => (0..2u32, words()).prop_map(|(part, text)| ProviderEvent::ReasoningSummary { part, text }),
        2 => words().prop_map(|encrypted_content| ProviderEvent::EncryptedReasoning { encrypted_content }),
        2 => Just(ProviderEvent::ContentPartFinished),
        2 => fields().prop_map(|extra| ProviderEvent::ItemFinished { extra }),
        2 => (0..2u32, fields()).prop_map(|(call, extra)| ProviderEvent::FunctionCallFinished { call, extra }),
        3 => (0..2u32, fields()).prop_map(|(item, mut fields)| {
            fields.push("type", &"web_search_call".into());
            ProviderEvent::OtherItemStarted { item, fields }
        }),
        3 => (0..2u32, event(), fields()).prop_map(|(item, event, fields)| ProviderEvent::OtherItemEvent {
            item, event: event.to_owned(), fields
        }),
        2 => (0..2u32, fields()).prop_map(|(item, fields)| ProviderEvent::OtherItemFinished { item, fields }),
    ]
}

fn plain_event() -> impl Strategy<Value = ProviderEvent> {
    let reason = prop_oneof![
        Just(FinishReason::Stop),
        Just(FinishReason::Length),
        Just(FinishReason::ContentFilter),
        Just(FinishReason::ToolCalls),
        Just(FinishReason::Other("eos".into())),
    ];
    prop_oneof![
        2 => Just(ProviderEvent::Opened { provider_response_id: None }),
        12 => words().prop_map(|text| ProviderEvent::Text { text, logprobs: Vec::new() }),
        6 => words().prop_map(|text| ProviderEvent::Reasoning { text }),
        4 => words().prop_map(|text| ProviderEvent::Refusal { text }),
        8 => (0..3u32).prop_map(|call| ProviderEvent::FunctionCallStarted {
            call, call_id: format!("call_{call}"), name: "f".into()
        }),
        8 => (0..3u32, words()).prop_map(|(call, text)| ProviderEvent::FunctionCallArguments { call, text }),
        2 => Just(ProviderEvent::Usage(Usage::default())),
        3 => reason.prop_map(ProviderEvent::Finished),
    ]
}

/// What this server does and decides.
fn own_fact() -> impl Strategy<Value = Fact> {
    let call = || (attempt(), 0..3u32);
    prop_oneof![
        6 => attempt().prop_map(opening),
        3 => call().prop_map(|(attempt, call)| Fact::ToolStarted { attempt, call }),
        3 => (call(), words()).prop_map(|((attempt, call), output)| Fact::ToolAnswered { attempt, call, output }),
        2 => (call(), words()).prop_map(|((attempt, call), message)| Fact::ToolFailed { attempt, call, message }),
        2 => attempt().prop_map(|attempt| Fact::ProviderFailed { attempt, cause: Cause::UpstreamClosed }),
        1 => attempt().prop_map(|attempt| Fact::RequestRejected {
            attempt,
            cause: Cause::ProviderRejected,
            rejection: Box::new(ProviderRejection::of_status(400)),
        }),
        1 => Just(Fact::CancelRequested { at: AT }),
        1 => Just(Fact::ClientLost { at: AT }),
        1 => Just(Fact::NodeLost { at: AT }),
        1 => Just(Fact::LimitReached { limit: Limit::OutputBytes }),
        1 => Just(END),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    let event = prop_oneof![45 => plain_event(), 22 => rich_event()];
    prop_oneof![
        67 => (attempt(), event).prop_map(|(attempt, event)| Fact::Provider { attempt, event }),
        21 => own_fact(),
    ]
}

fn log() -> impl Strategy<Value = Vec<Fact>> {
    prop::collection::vec(fact(), 0..60).prop_map(|facts| {
        let mut log = vec![created(), opening(Attempt::FIRST)];
        log.extend(facts);
        log.push(END);
        log
    })
}

proptest! {
    #[test]
    fn every_event_can_be_read_back_from_its_frame(facts in log()) {
        let padded = View { include_obfuscation: true };
        for event in fold(&facts).1 {
            let frame = Frame::encode(&event);
            prop_assert_eq!(&Frame::decode(&frame.bytes).unwrap(), &event);
            prop_assert_eq!(&Frame::decode(&frame.viewed(padded, id())).unwrap(), &event);
        }
    }

    #[test]
    fn any_log_folds_to_a_well_formed_stream_with_one_ending(facts in log()) {
        let (transcript, events) = fold(&facts);
        assert_well_formed(&events);
        prop_assert_eq!(events.iter().filter(|event| event.is_terminal()).count(), 1);
        prop_assert!(transcript.status().is_terminal());
        let deltas: String = events.iter().filter_map(|event| match event {
            ResponseEvent::OutputTextDelta { delta, .. } => Some(delta.as_str()),
            _ => None,
        }).collect();
        prop_assert_eq!(transcript.text().unwrap_or_default(), deltas);
    }

    #[test]
    fn a_log_without_its_last_fact_ends_as_it_was_recorded_beside_it(facts in log(), cut in any::<prop::sample::Index>()) {
        let whole = fold(&facts).1;
        let ending = Verdict::Failed(Cause::ServerInterrupted).ending();
        let recorded = RecordedEnding { ending: ending.clone(), at: AT };
        let (mut transcript, mut events) = fold(&facts[..1 + cut.index(facts.len() - 1)]);
        prop_assume!(transcript.ended().is_none());
        let seen = events.len();
        prop_assert_eq!(&events[..], &whole[..seen], "what was seen stays");
        transcript.end_as(recorded.clone(), &mut events);
        assert_well_formed(&events);
        prop_assert_eq!(transcript.ended(), Some(&(ending, AT)));
        prop_assert!(events.last().is_some_and(ResponseEvent::is_terminal));
        let after = events.clone();
        transcript.end_as(recorded, &mut events);
        transcript.apply(END, &mut events);
        prop_assert_eq!(events, after, "nothing follows");
    }

    #[test]
    fn batches_and_crashes_change_no_byte(facts in log(), cut in any::<prop::sample::Index>()) {
        let (_, whole) = fold(&facts);
        let cut = cut.index(facts.len());
        // A fold that goes on elsewhere starts from the encoded facts alone.
        let encoded = postcard::to_allocvec(&facts[..cut].to_vec()).unwrap();
        let again: Vec<Fact> = postcard::from_bytes(&encoded).unwrap();
        let (mut transcript, mut events) = fold(&again);
        for fact in &facts[cut..] {
            transcript.apply(fact.clone(), &mut events);
        }
        let bytes = |events: &[ResponseEvent]| events.iter().map(|e| Frame::encode(e).bytes).collect::<Vec<_>>();
        prop_assert_eq!(bytes(&events), bytes(&whole));
    }

    #[test]
    fn a_fact_after_the_end_changes_nothing(facts in log(), late in fact()) {
        let (before, events) = fold(&facts);
        let (after, events_after) = fold(&[facts, vec![late]].concat());
        prop_assert_eq!(events, events_after);
        prop_assert_eq!(before.response(), after.response());
    }
}
