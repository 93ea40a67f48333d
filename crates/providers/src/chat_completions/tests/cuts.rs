use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const RECORDED: &str = "\u{feff}: OPENROUTER PROCESSING\n\n\
    data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\r\n\r\n\
    data:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Gr\u{fc}\u{df} \u{1f980}\"}}]}\n\n\
    data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"!\"}}]}\r\r\
    data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]";

#[test]
fn every_cut_of_a_recorded_stream_gives_the_same_events() {
    let bytes = RECORDED.as_bytes();
    let length = ProviderEvent::Finished(FinishReason::Length);
    let expected = (vec![text("Gr\u{fc}\u{df} \u{1f980}"), text("!"), usage(1, 2), length], Ok(()));
    assert_eq!(decode([bytes]), expected);
    assert_eq!(decode(bytes.chunks(1)), expected);
    for at in 0..=bytes.len() {
        assert_eq!(decode([&bytes[..at], &bytes[at..]]), expected, "cut at {at}");
    }
}

#[test]
fn every_cut_of_every_recorded_answer_gives_the_same_events() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/upstream");
    let mut answers = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "upstream") {
            continue;
        }
        let (name, bytes) = (file.display().to_string(), std::fs::read(&file).unwrap());
        let whole = decode([&bytes[..]]);
        assert!(!whole.0.is_empty() || whole.1.is_err(), "{name} says nothing");
        check(decode(bytes.chunks(1)), whole.clone(), &name);
        for at in 1..bytes.len() {
            check(decode([&bytes[..at], &bytes[at..]]), whole.clone(), &name);
        }
        answers += 1;
    }
    assert!(answers >= 60, "only {answers} answers");
}

pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "choices",
        "delta",
        "content",
        "error",
        "usage",
        "finish_reason",
        "index",
        "tool_calls",
        "prompt_tokens",
        "reasoning",
        "reasoning_details",
        "function_call",
        "function",
        "name",
        "id",
        "arguments",
        "logprobs",
        "token",
        "type",
        "text",
        "x_groq",
        "object",
        "other",
    ]);
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..5)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_a_chunk_or_an_error(chunks in prop::collection::vec(any_json(), 0..4)) {
        let _any = of_chunks(&chunks);
    }

    #[test]
    fn any_bytes_are_events_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<usize>()) {
        let at = at % (bytes.len() + 1);
        prop_assert_eq!(decode([&bytes[..at], &bytes[at..]]), decode([&bytes[..]]));
    }
}
