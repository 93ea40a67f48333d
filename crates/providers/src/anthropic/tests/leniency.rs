//! A field beside the words may be anything: it costs no word, no call and no ending.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{arguments, begin, begin_counted, decode, delta, finish, start, stop, tool_use, written};
use crate::odd_json::{costs_nothing, odd_field, stream_of};
use crate::{Error, ProviderEvent};

/// An answer with everything that this server reads.
fn answer() -> Vec<Value> {
    let mut finish = finish("tool_use");
    finish["usage"] = json!({ "output_tokens": 9, "output_tokens_details": { "thinking_tokens": 2 } });
    let citation = json!({ "type": "char_location", "cited_text": "sky" });
    vec![
        begin_counted(),
        json!({ "type": "ping" }),
        start(0, json!({ "type": "thinking", "thinking": "", "signature": "" })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "hm" })),
        delta(0, json!({ "type": "signature_delta", "signature": "c2ln" })),
        stop(0),
        start(1, json!({ "type": "text", "text": "" })),
        delta(1, json!({ "type": "text_delta", "text": "Hel" })),
        delta(1, json!({ "type": "text_delta", "text": "lo" })),
        delta(1, json!({ "type": "citations_delta", "citation": citation })),
        stop(1),
        start(2, tool_use("toolu_1", json!({}))),
        arguments(2, "{\"a\":"),
        arguments(2, "1}"),
        stop(2),
        start(3, tool_use("toolu_2", json!({}))),
        arguments(3, "{}"),
        stop(3),
        finish,
        json!({ "type": "message_stop" }),
    ]
}

/// The places that hold words, calls and the ending, or what these are in.
const WORDS: [&str; 6] = [
    "/delta/thinking",
    "/delta/text",
    "/delta/partial_json",
    "/delta/stop_reason",
    "/content_block/name",
    "/content_block/text",
];

fn is_beside_the_words(event: &Value, place: &str, odd: &Value) -> bool {
    let is_call = event["content_block"]["type"] == "tool_use";
    // Without its start, a block of words is what its pieces say.
    let is_start = place == "/content_block" && !is_call && !odd.is_object();
    let is_word = WORDS.iter().any(|word| *word == place || word.starts_with(&format!("{place}/"))) && !is_start;
    // The type of an event decides what it is, and so does that of a call: a word in its place is another one.
    let is_named = odd.as_str().is_some_and(|word| !word.is_empty());
    let is_type = is_named && (place == "/type" || (place == "/content_block/type" && is_call));
    // What stands in the start already, words or parts with words, is said.
    let says_something = odd.is_string() || odd.is_array() || odd.is_object();
    let is_first_word = matches!(place, "/content_block/thinking" | "/message/content") && says_something;
    !(is_word || is_type || is_first_word)
}

#[test]
fn an_empty_type_leaves_the_kind_of_an_event_to_its_line() {
    let plain = answer();
    let mut changed = plain.clone();
    changed.iter_mut().for_each(|event| event["type"] = json!(""));
    let stream = stream_of(&plain, &changed);
    assert_eq!(decode([stream.as_bytes()]), decode([written(&plain).as_bytes()]));
}

proptest! {
    #[test]
    fn any_one_field_beside_the_words_may_be_anything(field in odd_field()) {
        costs_nothing(&answer(), field, is_beside_the_words, |pieces| decode(pieces))?;
    }
}

#[test]
fn a_delta_says_the_same_however_it_is_written() {
    let block = [start(0, json!({ "type": "text", "text": "" }))];
    let beginning = written(&[&[begin()][..], &block].concat());
    let end = written(&[stop(0), finish("end_turn"), json!({ "type": "message_stop" })]);
    let heard = |data: &str| decode([format!("{beginning}data: {data}\n\n{end}").as_bytes()]);
    let plain = heard(r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#);
    let text = ProviderEvent::Text { text: "Hi".to_owned(), logprobs: Vec::new() };
    assert!(plain.1.is_ok() && plain.0.contains(&text));
    for data in [
        r#"{"delta":{"text":"x","text":"Hi","type":"text_delta"},"index":9,"index":0,"type":"x","type":"content_block_delta"}"#,
        r#"{"type":"content_block\u005fdelta","index":"0","delta":{"text":"H\u0069"}}"#,
        r#"{"type":"content_block_delta","index":0,"p":1e999,"delta":{"type":"text_delta","text":"Hi","q":["\ud83e"]}}"#,
        r#"{"type":"content_block_delta","delta":{"type":7,"text":"Hi","thinking":null}}"#,
    ] {
        assert_eq!(heard(data), plain, "{data}");
    }
    for (data, what) in [
        (
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":["Hi"]}}"#,
            "a delta that is no text",
        ),
        (r#"["content_block_delta",0,["text_delta","Hi"]]"#, "an event has not the form of one"),
    ] {
        assert_eq!(heard(data).1, Err(Error::Protocol { what }), "{data}");
    }
    let list = heard(r#"{"type":"content_block_delta","index":0,"delta":["text_delta","Hi"]}"#);
    assert!(!list.0.contains(&text));
}
