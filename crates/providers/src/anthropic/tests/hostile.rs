//! Providers that break the protocol.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{arguments, begin, decode, delta, finish, of_blocks, start, stop, tool_use, written};
use crate::{Error, ProviderEvent};

fn what(result: Result<(), Error>) -> &'static str {
    match result {
        Err(Error::Protocol { what }) => what,
        other => unreachable!("no break of the protocol: {other:?}"),
    }
}

fn text(index: u32) -> Value {
    start(index, json!({ "type": "text", "text": "Hi" }))
}

#[test]
fn nonsense_breaks_the_protocol_after_what_came_before_it() {
    let many = json!({ "type": "acme", "x": vec![0; 300_000] });
    let no_text = || json!({ "type": "text_delta", "text": 7 });
    for (events, expected) in [
        (vec![json!([])], "an event has not the form of one"),
        (vec![many], "an event holds more values than limits.provider_event_values"),
        (
            vec![json!({ "type": "message_delta", "delta": { "stop_reason": "of the future" } })],
            "a reason to finish that is not known",
        ),
        (vec![begin()], "a second message in one answer"),
        (vec![delta(0, no_text())], "a delta that is no text"),
        (vec![stop(0), arguments(0, "{}")], "arguments without their call"),
        (vec![stop(0), start(1, json!({ "type": "tool_use", "id": "1" }))], "a call without a proper name"),
        (vec![json!({ "type": "message_stop" })], "an end mark without a reason to finish"),
        (vec![finish("end_turn"), json!([])], "an event has not the form of one"),
        (vec![finish("end_turn"), start(1, json!({ "type": "tool_use", "id": "1" }))], "a call without a proper name"),
    ] {
        let (heard, result) = of_blocks(&[&[text(0)], &events[..]].concat());
        assert!(matches!(&heard[0], ProviderEvent::Text { text, .. } if text == "Hi"), "{expected}");
        assert_eq!(what(result), expected);
    }
    let bare = format!("{}data: {{\"no\":\"type\"}}\n\n", written(&[begin()]));
    assert_eq!(what(decode([bare.as_bytes()]).1), "an event without a type");
}

#[test]
fn nothing_comes_before_the_beginning() {
    for event in [text(0), delta(0, json!({ "type": "text_delta", "text": "x" })), stop(0), finish("end_turn")] {
        let (events, result) = decode([written(&[event]).as_bytes()]);
        assert_eq!((events, what(result)), (vec![], "output before the message began"));
    }
}

#[test]
fn a_call_without_a_proper_id_gets_one() {
    let mut ids = BTreeSet::new();
    for id in [json!(""), json!("x".repeat(8193)), json!("a\u{0}"), json!(null), json!([])] {
        let named = |id: &Value| json!({ "type": "tool_use", "id": id, "name": "f", "input": {} });
        let (heard, result) = of_blocks(&[start(0, named(&id)), stop(0), start(1, named(&id)), stop(1)]);
        assert_eq!(result, Ok(()));
        ids.extend(heard.into_iter().filter_map(|event| {
            let ProviderEvent::FunctionCallStarted { call_id, .. } = event else { return None };
            Some(call_id)
        }));
    }
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert!(ids.iter().all(|id| id.starts_with("call_")));
    let (heard, _) = of_blocks(&[start(0, json!({ "type": "tool_use", "id": 7, "name": "f" }))]);
    assert!(matches!(&heard[0], ProviderEvent::FunctionCallStarted { call_id, .. } if call_id == "7"));
}

#[test]
fn calls_and_their_arguments_are_bounded() {
    let blocks: Vec<Value> = (0..4097).flat_map(|n| [text(n), stop(n)]).collect();
    assert_eq!(what(of_blocks(&blocks).1), "more items, blocks or parts than limits.provider_items");

    let calls: Vec<Value> = (0..129).flat_map(|n| [start(n, tool_use(&format!("c{n}"), json!({}))), stop(n)]).collect();
    let (events, result) = of_blocks(&calls);
    assert_eq!(what(result), "more function calls than limits.provider_calls");
    assert_eq!(events.iter().filter(|event| matches!(event, ProviderEvent::FunctionCallStarted { .. })).count(), 128);

    let piece = "x".repeat(256 << 10);
    let call = |kind: &str| start(0, json!({ "type": kind, "id": "1", "name": "f", "input": {} }));
    for kind in ["tool_use", "server_tool_use"] {
        let filled = [vec![call(kind)], vec![arguments(0, &piece); 4]].concat();
        assert_eq!(of_blocks(&filled).1, Ok(()), "{kind}");
        let spilt = [filled, vec![arguments(0, "x")]].concat();
        assert_eq!(
            what(of_blocks(&spilt).1),
            "the arguments of a function call are longer than responses.max_output_bytes",
            "{kind}"
        );
    }
    let given = start(0, tool_use("1", json!({ "a": piece.repeat(4) })));
    assert_eq!(
        what(of_blocks(&[given]).1),
        "the arguments of a function call are longer than responses.max_output_bytes"
    );
}

#[test]
fn nested_beyond_measure_beside_the_words_costs_nothing() {
    let bomb = format!("\"x\":{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let stream =
        written(&[begin(), text(0), stop(0), finish("end_turn")]).replace("\"index\":", &format!("{bomb},\"index\":"));
    assert!(stream.len() > 400_000);
    assert_eq!(
        decode([stream.as_bytes()]),
        decode([written(&[begin(), text(0), stop(0), finish("end_turn")]).as_bytes()])
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
        "text",
        "thinking",
        "redacted_thinking",
        "tool_use",
        "other",
        "text_delta",
        "thinking_delta",
        "signature_delta",
        "input_json_delta",
        "citations_delta",
        "end_turn",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_u32).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "type",
        "message",
        "index",
        "content_block",
        "delta",
        "usage",
        "id",
        "name",
        "input",
        "text",
        "thinking",
        "signature",
        "data",
        "partial_json",
        "citation",
        "stop_reason",
        "output_tokens",
        "error",
    ]);
    leaf.prop_recursive(4, 30, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..7)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

/// An event that has the form of one, with anything in its places.
fn any_event() -> impl Strategy<Value = Value> {
    let block = || prop::sample::select(vec!["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use"]);
    let pieces = vec!["text_delta", "thinking_delta", "signature_delta", "input_json_delta", "future_delta"];
    let piece = move || prop::sample::select(pieces.clone());
    prop_oneof![
        any_json(),
        (0..4_u32, block(), any_json()).prop_map(|(index, kind, any)| {
            start(index, json!({ "type": kind, "id": "1", "name": "f", "text": any, "thinking": any, "input": any }))
        }),
        (0..4_u32, piece(), ".{0,4}").prop_map(|(index, kind, any)| {
            delta(index, json!({ "type": kind, "text": any, "thinking": any, "signature": any, "partial_json": any }))
        }),
        (0..4_u32).prop_map(stop),
        Just(finish("max_tokens")),
        Just(json!({ "type": "message_stop" })),
    ]
}

proptest! {
    #[test]
    fn any_json_is_an_event_or_an_error(events in prop::collection::vec(any_event(), 0..12)) {
        let (heard, result) = decode([written(&[&[begin()], &events[..]].concat()).as_bytes()]);
        let finishes = heard.iter().filter(|event| matches!(event, ProviderEvent::Finished(_))).count();
        prop_assert!(finishes <= 1);
        prop_assert!(result != Ok(()) || finishes == 1, "an answer is good only if it was finished");
        for event in &heard {
            if let ProviderEvent::Text { text, .. }
            | ProviderEvent::Reasoning { text, .. }
            | ProviderEvent::FunctionCallArguments { text, .. } = event
            {
                prop_assert!(!text.is_empty());
            }
        }
    }

    #[test]
    fn any_bytes_are_events_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<usize>()) {
        let at = at % (bytes.len() + 1);
        prop_assert_eq!(decode([&bytes[..at], &bytes[at..]]), decode([&bytes[..]]));
    }
}
