use serde_json::{Value, json};

use super::{
    added, arguments, between, broken, call_finished, call_started, completed, created, done, fields, finished,
    message, of, opened, origin, speech_finished, text, text_delta,
};
use crate::ProviderEvent;
use antiphon_domain::FinishReason;

const PART: ProviderEvent = ProviderEvent::ContentPartFinished;

fn call(call_id: &str, arguments: &str) -> Value {
    json!({ "type": "function_call", "id": format!("fc_{call_id}"), "call_id": call_id, "name": "f",
        "arguments": arguments, "status": "completed" })
}

fn argued(place: u32, text: &str) -> Value {
    json!({ "type": "response.function_call_arguments.delta", "output_index": place, "delta": text })
}

fn argued_whole(place: u32, text: &str) -> Value {
    json!({ "type": "response.function_call_arguments.done", "output_index": place, "arguments": text })
}

fn search(status: &str) -> Value {
    json!({ "type": "acme:search", "id": "as_1", "status": status, "query": { "words": ["sky"], "deep": true } })
}

fn other_started(item: u32, value: Value) -> ProviderEvent {
    ProviderEvent::OtherItemStarted { item, fields: origin().mark(fields(value)) }
}

fn other_finished(item: u32, value: Value) -> ProviderEvent {
    ProviderEvent::OtherItemFinished { item, fields: origin().mark(fields(value)) }
}

#[test]
fn calls_are_counted_from_nothing_and_may_be_written_side_by_side() {
    let mut spaced = call("b", "{\"x\":1}");
    spaced["namespace"] = json!("maths");
    let said = between(&[
        text_delta(0, "Hi"),
        added(3, call("a", "")),
        added(5, call("b", "")),
        argued(5, "{\"x\""),
        argued(3, "{}"),
        argued(5, ":1}"),
        argued_whole(5, "{\"x\":1}"),
        done(5, spaced),
        done(3, call("a", "{}")),
    ]);
    let expected = [
        text("Hi"),
        call_started(0, "a"),
        call_started(1, "b"),
        arguments(1, "{\"x\""),
        arguments(0, "{}"),
        arguments(1, ":1}"),
        call_finished(1, json!({ "namespace": "maths" })),
        call_finished(0, json!({})),
    ];
    assert_eq!(said, expected);
}

#[test]
fn arguments_that_come_only_whole_come_once() {
    let expected = [call_started(0, "a"), arguments(0, "{}"), call_finished(0, json!({}))];
    for stream in [
        vec![done(0, call("a", "{}"))],
        vec![added(0, call("a", "")), done(0, call("a", "{}"))],
        vec![added(0, call("a", "")), argued_whole(0, "{}"), done(0, call("a", "{}"))],
        // What is called is told at the end alone.
        vec![added(0, json!({ "type": "function_call", "name": "" })), argued(0, "{}"), done(0, call("a", "{}"))],
        vec![argued(0, "{}"), argued_whole(0, "{}"), done(0, call("a", "{}"))],
    ] {
        assert_eq!(between(&stream), expected, "{stream:?}");
    }
}

#[test]
fn a_call_that_was_cut_is_left_open_for_the_ending_to_say_so() {
    let mut cut = call("a", "{\"x");
    cut["status"] = json!("Incomplete");
    let said = between(&[added(0, call("a", "")), argued(0, "{\"x"), done(0, cut)]);
    assert_eq!(said, [call_started(0, "a"), arguments(0, "{\"x")]);
}

#[test]
fn a_call_that_makes_no_sense_breaks_the_protocol() {
    let nameless = json!({ "type": "function_call", "call_id": "a", "arguments": "{}" });
    let odd = json!({ "type": "response.function_call_arguments.delta", "output_index": 0, "delta": {} });
    let started = || vec![call_started(0, "a")];
    for (stream, said, what) in [
        (vec![done(0, nameless.clone())], vec![], "a function call without a name"),
        (vec![added(0, nameless), completed(&json!([]))], vec![], "a function call without a name"),
        (vec![added(0, call("a", "")), odd], started(), "a delta that is no text"),
    ] {
        assert_eq!(broken(&stream), (said, what), "{stream:?}");
    }
    let (mut said, what) = broken(&[done(0, call("a", "{}")), argued(0, "{}")]);
    assert_eq!((said.pop(), what), (Some(call_finished(0, json!({}))), "an item goes on after its end"));
}

#[test]
fn a_call_without_an_id_and_with_odd_arguments_is_a_call() {
    let mut unnamed = call("a", "");
    unnamed["call_id"] = json!("a\u{0}");
    let mut object = call("a", "");
    object["arguments"] = json!({ "x": 1 });
    for (stream, id, text) in [
        // The id of its item.
        (vec![added(0, unnamed.clone()), argued(0, "{}"), done(0, unnamed.clone())], "fc_a", "{}"),
        (vec![added(0, unnamed), argued(0, "{}")], "fc_a", "{}"),
        (vec![added(0, call("a", "")), done(0, object.clone())], "a", "{\"x\":1}"),
        (vec![added(0, call("a", "")), argued(0, "{}"), done(0, object)], "a", "{}"),
        (vec![added(0, call("a", "")), argued(0, "{\"x\""), done(0, call("a", "{\"x\":1}"))], "a", "{\"x\":1}"),
    ] {
        let said = between(&stream);
        let ids = said.iter().filter_map(|event| {
            let ProviderEvent::FunctionCallStarted { call_id, .. } = event else { return None };
            Some(call_id.clone())
        });
        let texts = said.iter().filter_map(|event| {
            let ProviderEvent::FunctionCallArguments { text, .. } = event else { return None };
            Some(text.as_str())
        });
        assert_eq!(
            (ids.collect::<String>(), texts.collect::<String>()),
            (id.to_owned(), text.to_owned()),
            "{stream:?}"
        );
    }
}

#[test]
fn items_of_unknown_kinds_and_their_events_pass_as_they_came() {
    let found = |name: &str, more: Value| {
        let mut event = more;
        let about = json!({ "type": name, "sequence_number": 9, "output_index": 2, "item_id": "as_1" });
        event.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
        event
    };
    let said = between(&[
        text_delta(0, "Hi"),
        added(2, search("in_progress")),
        found("acme:search.hit", json!({ "rank": 1 })),
        found("response.web_search_call.searching", json!({})),
        found("response.output_text.delta", json!({ "delta": "not a message's" })),
        json!({ "type": "acme:search.by_id", "item_id": "as_1" }),
        json!({ "type": "acme:weather", "output_index": 0, "sun": true }),
        json!({ "type": "acme:weather", "output_index": 77_777 }),
        json!({ "type": "keepalive", "sequence_number": 5 }),
        done(2, search("completed")),
        found("acme:search.late", json!({})),
    ]);
    let reported =
        |event: &str, more| ProviderEvent::OtherItemEvent { item: 0, event: event.to_owned(), fields: fields(more) };
    let expected = [
        text("Hi"),
        other_started(0, search("in_progress")),
        reported("acme:search.hit", json!({ "rank": 1 })),
        reported("response.web_search_call.searching", json!({})),
        reported("response.output_text.delta", json!({ "delta": "not a message's" })),
        reported("acme:search.by_id", json!({})),
        other_finished(0, search("completed")),
    ];
    assert_eq!(said, expected);
}

fn all_items() -> Value {
    json!([search("completed"), message(&["Hi"]), call("a", "{}"), call("b", "[]")])
}

fn all_said() -> Vec<ProviderEvent> {
    vec![
        other_started(0, search("completed")),
        other_finished(0, search("completed")),
        text("Hi"),
        PART,
        speech_finished(json!({})),
        call_started(0, "a"),
        arguments(0, "{}"),
        call_finished(0, json!({})),
        call_started(1, "b"),
        arguments(1, "[]"),
        call_finished(1, json!({})),
    ]
}

#[test]
fn items_that_are_only_in_the_last_event_come_with_it() {
    let (events, result) = of(&[created(), completed(&all_items())]);
    let tail = [finished(FinishReason::ToolCalls)];
    assert_eq!((events, result), ([&[opened(Some("resp_up"))], &all_said()[..], &tail].concat(), Ok(())));
}

#[test]
fn items_that_came_do_not_come_again_whatever_the_last_event_calls_them() {
    let stream: Vec<Value> =
        (4..).zip(all_items().as_array().unwrap()).map(|(place, item)| done(place, item.clone())).collect();
    let mut renamed = all_items();
    for item in renamed.as_array_mut().unwrap() {
        item["id"] = json!("changed");
    }
    for last in [all_items(), renamed, json!([]), json!(null), json!([7, {}])] {
        let (events, result) = of(&[&[created()], &stream[..], &[completed(&last)]].concat());
        assert_eq!(result, Ok(()));
        assert_eq!(events[1..events.len() - 1], all_said(), "{last}");
    }
}

#[test]
fn of_items_that_came_in_part_only_the_rest_comes_with_the_last_event() {
    let second = call("b", "[]");
    let (events, result) = of(&[
        created(),
        text_delta(0, "Hi"),
        done(1, second.clone()),
        completed(&json!([message(&["Hi"]), call("a", "{}"), second])),
    ]);
    let expected = [
        opened(Some("resp_up")),
        text("Hi"),
        call_started(0, "b"),
        arguments(0, "[]"),
        call_finished(0, json!({})),
        call_started(1, "a"),
        arguments(1, "{}"),
        call_finished(1, json!({})),
        finished(FinishReason::ToolCalls),
    ];
    assert_eq!((&events[..], result), (&expected[..], Ok(())));
}
