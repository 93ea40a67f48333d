#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod requests;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::decoder::Decoder;
use crate::domain::FinishReason;
use crate::protocol::Usage;
use crate::provider::http::{Flow, StreamDecoder};
use crate::provider::{Error, ProviderEvent, Report, UpstreamLimits};

type Decoded = (Vec<ProviderEvent>, Result<(), Error>);

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = StreamDecoder::new(Box::new(Decoder::default()), UpstreamLimits::default());
    let mut events = Vec::new();
    for piece in pieces {
        match decoder.push(Bytes::copy_from_slice(piece), &mut events) {
            Ok(Flow::Open) => {}
            Ok(Flow::Done) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
    let result = decoder.end(&mut events);
    (events, result)
}

fn of_chunks(chunks: &[Value]) -> Decoded {
    let stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    decode([stream.as_bytes()])
}

fn text(text: &str) -> ProviderEvent {
    ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new(), upstream_sequence: None }
}

fn reasoning(text: &str) -> ProviderEvent {
    ProviderEvent::Reasoning { text: text.to_owned(), upstream_sequence: None }
}

fn usage(input_tokens: u64, output_tokens: u64) -> ProviderEvent {
    let total_tokens = input_tokens + output_tokens;
    ProviderEvent::Usage(Usage { input_tokens, output_tokens, total_tokens, ..Usage::default() })
}

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }], "usage": null })
}

fn finish(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

fn stop() -> ProviderEvent {
    ProviderEvent::Finished(FinishReason::Stop)
}

fn protocol(what: &'static str) -> Error {
    Error::Protocol { what }
}

#[test]
fn texts_thoughts_and_refusals_are_told_apart_and_empty_ones_left_out() {
    let (events, result) = of_chunks(&[
        delta(json!({ "role": "assistant", "content": "" })),
        delta(json!({ "content": null, "reasoning_content": "hm" })),
        delta(json!({ "reasoning": "", "reasoning_content": "so" })),
        delta(json!({ "reasoning": "both", "reasoning_content": "both" })),
        delta(json!({ "reasoning": "new" })),
        delta(json!({ "content": "Hi", "tool_calls": [], "function_call": null })),
        delta(json!({ "refusal": "no" })),
        json!({}),
        json!({ "choices": null }),
        json!({ "choices": [{ "index": 0, "delta": null, "finish_reason": "" }] }),
        finish("stop"),
    ]);
    let refusal = ProviderEvent::Refusal { text: "no".to_owned(), upstream_sequence: None };
    let thoughts = ["hm", "so", "both", "new"].map(reasoning);
    assert_eq!(events, [&thoughts[..], &[text("Hi"), refusal, stop()]].concat());
    assert_eq!(result, Ok(()));
}

#[test]
fn usage_is_found_in_all_its_places() {
    let used = json!({ "prompt_tokens": 3, "completion_tokens": 4 });
    for chunks in [
        vec![finish("stop"), json!({ "choices": [], "usage": used })],
        vec![json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }], "usage": used })],
        vec![json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop", "usage": used }] })],
        vec![finish("stop"), json!({ "choices": [], "x_groq": { "id": "req_1", "usage": used } })],
        vec![finish("stop"), json!({ "choices": [], "usage": used }), json!({ "choices": [], "usage": used })],
    ] {
        assert_eq!(of_chunks(&chunks), (vec![stop(), usage(3, 4)], Ok(())), "{chunks:?}");
    }
}

#[test]
fn details_of_the_usage_are_kept() {
    let (events, _) = of_chunks(&[json!({ "choices": [], "usage": {
        "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 31,
        "prompt_tokens_details": { "cached_tokens": 4, "audio_tokens": null },
        "completion_tokens_details": { "reasoning_tokens": 5 },
    } })]);
    let [ProviderEvent::Usage(usage)] = events[..] else { unreachable!("{events:?}") };
    assert_eq!((usage.total_tokens, usage.input_tokens_details.cached_tokens), (31, 4));
    assert_eq!(usage.output_tokens_details.reasoning_tokens, 5);
}

#[test]
fn every_reason_to_finish_has_its_meaning() {
    for (word, meaning) in [
        ("stop", Ok(FinishReason::Stop)),
        ("length", Ok(FinishReason::Length)),
        ("content_filter", Ok(FinishReason::ContentFilter)),
        ("tool_calls", Ok(FinishReason::ToolCalls)),
        ("eos", Ok(FinishReason::Other("eos".to_owned()))),
        ("st\u{0}p", Err(Error::Protocol { what: "a reason to finish that is no word" })),
        ("error", Err(Error::Reported(Report::Other))),
        ("abort", Err(Error::Reported(Report::Other))),
        (&"x".repeat(65), Err(protocol("a reason to finish that is too long"))),
    ] {
        let (events, result) = of_chunks(&[finish(word)]);
        let expected: Vec<_> = meaning.clone().into_iter().map(ProviderEvent::Finished).collect();
        assert_eq!((events, result), (expected, meaning.map(|_| ())), "{word}");
    }
}

#[test]
fn errors_in_mid_stream_are_seen_in_all_their_shapes() {
    for error in [
        "data: {\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":null,\"param\":null}}\n\n",
        "data: {\"error\":\"overloaded\"}\n\n",
        "data: {\"object\":\"error\",\"message\":\"m\",\"code\":500}\n\n",
        "event: error\ndata: it broke\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}],\"error\":{}}\n\n",
        "data: {\"error\":{\"message\":\"no blank line\"}}",
    ] {
        let stream = format!("data: {}\n\n{error}", delta(json!({ "content": "Hi" })));
        assert_eq!(decode([stream.as_bytes()]), (vec![text("Hi")], Err(Error::Reported(Report::Other))), "{error}");
    }
}

#[test]
fn nonsense_breaks_the_protocol_after_what_came_before_it() {
    for (chunk, what) in [
        ("nonsense", "a chunk has not the form of one"),
        ("[]", "a chunk has not the form of one"),
        ("{\"choices\":7}", "a chunk has not the form of one"),
        ("{\"choices\":[{\"index\":4294967296}]}", "a chunk has not the form of one"),
        ("{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}", "more than one choice"),
        ("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}", "a tool call that was not asked for"),
        ("{\"choices\":[{\"delta\":{\"function_call\":{}}}]}", "a tool call that was not asked for"),
        ("[DONE]", "an end mark without a reason to finish"),
    ] {
        let stream = format!("data: {}\n\ndata: {chunk}\n\n", delta(json!({ "content": "Hi" })));
        assert_eq!(decode([stream.as_bytes()]), (vec![text("Hi")], Err(protocol(what))), "{chunk}");
    }
    let (events, result) = of_chunks(&[finish("stop"), delta(json!({ "content": "more" }))]);
    assert_eq!((events, result), (vec![stop()], Err(protocol("output after the reason to finish"))));
}

#[test]
fn an_end_is_good_only_after_the_reason_to_finish() {
    let hi = format!("data: {}\n\n", delta(json!({ "content": "Hi" })));
    let stopped = format!("{hi}data: {}", finish("stop"));
    for (stream, events, result) in [
        (String::new(), vec![], Err(Error::Closed)),
        (": waiting\n\n".to_owned(), vec![], Err(protocol("the answer is no event stream"))),
        ("<html>\n\n</html>".to_owned(), vec![], Err(protocol("the answer is no event stream"))),
        (hi.clone(), vec![text("Hi")], Err(Error::Closed)),
        (format!("{hi}data: {{\"choices\":[{{\"del"), vec![text("Hi")], Err(Error::Closed)),
        (stopped.clone(), vec![text("Hi"), stop()], Ok(())),
        (format!("{stopped}\n\ndata: [DONE]"), vec![text("Hi"), stop()], Ok(())),
        (format!("{stopped}\n\ndata: [DONE]\n\ndata: nonsense\n\n"), vec![text("Hi"), stop()], Ok(())),
        (format!("{stopped}\n\ndata: {{\"choi"), vec![text("Hi"), stop()], Ok(())),
    ] {
        assert_eq!(decode([stream.as_bytes()]), (events, result), "{stream}");
    }
}

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
    let expected = (vec![text("Gr\u{fc}\u{df} \u{1f980}"), text("!"), length, usage(1, 2)], Ok(()));
    assert_eq!(decode([bytes]), expected);
    assert_eq!(decode(bytes.chunks(1)), expected);
    for at in 0..=bytes.len() {
        assert_eq!(decode([&bytes[..at], &bytes[at..]]), expected, "cut at {at}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
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
