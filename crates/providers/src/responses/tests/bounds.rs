use proptest::prelude::*;
use serde_json::{Value, json};

use super::{added, between, broken, decode, delta, done, message, of, text, text_delta};
use crate::{Error, ProviderEvent};
use antiphon_protocol::JsonObject;

fn call(number: usize, arguments: &str) -> Value {
    json!({ "type": "function_call", "call_id": format!("c{number}"), "name": "f", "arguments": arguments })
}

#[test]
fn a_place_only_tells_items_and_parts_apart_however_far_out_it_is() {
    let (far, part) = (u32::MAX, delta("response.output_text.delta", (u32::MAX, u32::MAX), "b"));
    let said = between(&[text_delta(far, "a"), part, text_delta(0, "c")]);
    let end = ProviderEvent::ItemFinished { extra: JsonObject::new() };
    assert_eq!(said, [text("a"), ProviderEvent::ContentPartFinished, text("b"), end, text("c")]);
}

#[test]
fn what_a_provider_can_make_this_server_keep_is_bounded() {
    let calls: Vec<Value> = (0..129).map(|number| done(0, call(number, "{}"))).collect();
    let stacked = |items: Vec<Value>| -> Vec<Value> {
        items.into_iter().flat_map(|item| [added(0, item.clone()), done(0, item)]).collect()
    };
    let calls = stacked(calls.into_iter().map(|mut event| event["item"].take()).collect());
    let (said, what) = broken(&calls);
    let started = said.iter().filter(|event| matches!(event, ProviderEvent::FunctionCallStarted { .. })).count();
    assert_eq!((started, what), (128, "more function calls than limits.provider_calls"));

    let (said, what) = broken(&stacked(vec![json!({ "type": "acme" }); 4097]));
    assert_eq!((said.len(), what), (8192, "more items, blocks or parts than limits.provider_items"));

    let half = "x".repeat(512 << 10);
    let piece =
        |text: &str| json!({ "type": "response.function_call_arguments.delta", "output_index": 0, "delta": text });
    let (said, what) = broken(&[added(0, call(0, "")), piece(&half), piece(&half), piece("x")]);
    assert_eq!((said.len(), what), (3, "the arguments of a function call are longer than responses.max_output_bytes"));

    let long = "x".repeat(8193);
    let named = json!({ "type": "function_call", "call_id": "c", "name": long, "arguments": "" });
    assert_eq!(broken(&[done(0, named)]), (vec![], "the name of a function is longer than limits.function_name_chars"));

    let parts =
        |count| json!({ "type": "message", "content": vec![json!({ "type": "output_text", "text": "x" }); count] });
    assert_eq!(of(&[done(0, parts(4096))]).1, Err(Error::Closed));
    assert_eq!(broken(&[done(0, parts(4097))]).1, "more items, blocks or parts than limits.provider_items");
    assert_eq!(between(&[added(0, json!({ "type": &long[..129] })), json!({ "type": &long[..129] })]), []);
}

#[test]
fn an_event_of_too_many_values_is_not_read_and_what_it_echoes_is_not_counted() {
    let many = json!(vec![0; 300_000]);
    let response = json!({ "status": "completed", "tools": many, "output": [message(&["Hi"])] });
    let (said, result) = of(&[json!({ "type": "response.completed", "response": response })]);
    assert_eq!((said.get(1), result), (Some(&text("Hi")), Ok(())));
    let whole = json!({ "object": "response", "status": "completed", "tools": many, "output": [message(&["Hi"])] });
    let (said, result) = decode([whole.to_string().as_bytes()]);
    assert_eq!((said.get(1), result), (Some(&text("Hi")), Ok(())));
    let broken = Err(Error::Protocol { what: "an event holds more values than limits.provider_event_values" });
    for event in [
        json!({ "type": "response.completed", "response": { "output": [{ "type": "acme", "x": many }] } }),
        json!({ "type": "response.output_item.done", "item": { "type": "acme", "x": many } }),
        json!({ "type": "response.output_item.done", "item": many, "response": {} }),
    ] {
        assert_eq!(of(&[event]), (vec![], broken.clone()));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "message",
        "reasoning",
        "function_call",
        "acme",
        "output_text",
        "refusal",
        "reasoning_text",
        "completed",
        "incomplete",
        "x",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..3).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "type",
        "item",
        "id",
        "content",
        "summary",
        "text",
        "refusal",
        "delta",
        "part",
        "status",
        "output",
        "usage",
        "arguments",
        "call_id",
        "name",
        "annotations",
        "logprobs",
        "encrypted_content",
        "error",
        "response",
    ]);
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..6)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

/// Anything as the fields of an event whose type and places are mostly good ones.
fn any_event() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "response.created",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.reasoning_summary_part.done",
        "response.output_text.delta",
        "response.output_text.done",
        "response.output_text.annotation.added",
        "response.refusal.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.web_search_call.searching",
        "acme",
    ]);
    let fields = ["item", "response", "part", "delta", "text", "refusal", "annotation", "arguments", "logprobs"];
    let values = prop::collection::vec(any_json(), fields.len());
    (name, any_place(), any_place(), values).prop_map(move |(name, place, part, values)| {
        let mut event = json!({
            "type": name, "output_index": place, "content_index": part, "summary_index": part,
        });
        for (field, value) in fields.iter().zip(values) {
            event[*field] = value;
        }
        event
    })
}

fn any_place() -> impl Strategy<Value = Value> {
    prop_oneof![9 => (0_u64..3).prop_map(Value::from), 1 => any_json()]
}

proptest! {
    #[test]
    fn any_json_is_an_event_or_an_error(events in prop::collection::vec(any_json(), 0..4)) {
        let _any = of(&events);
    }

    #[test]
    fn any_fields_of_known_events_are_events_or_an_error(events in prop::collection::vec(any_event(), 0..12)) {
        let (said, _) = of(&events);
        let is_opening = |event: &ProviderEvent| matches!(event, ProviderEvent::Opened { .. });
        let openings: Vec<usize> = (0..said.len()).filter(|place| is_opening(&said[*place])).collect();
        prop_assert!(said.is_empty() || openings == [0], "the opening is first, and once");
        let call = |event: &ProviderEvent| {
            let ProviderEvent::FunctionCallStarted { call, .. } = event else { return None };
            Some(*call)
        };
        let calls: Vec<u32> = said.iter().filter_map(call).collect();
        prop_assert_eq!(&calls, &(0..).take(calls.len()).collect::<Vec<u32>>());
    }

    #[test]
    fn any_bytes_are_events_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<usize>()) {
        let at = at % (bytes.len() + 1);
        prop_assert_eq!(decode([&bytes[..at], &bytes[at..]]), decode([&bytes[..]]));
    }
}
