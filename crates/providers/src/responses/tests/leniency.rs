//! A field beside the words may be anything: it costs no word, no call and no ending.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::decode;
use crate::odd_json::{costs_nothing, odd_field, stream_of};

fn about(name: &str, place: u32, id: &str, more: Value) -> Value {
    let mut event = json!({ "type": name, "output_index": place, "item_id": id, "obfuscation": "x" });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn begun(place: u32, item: Value) -> Value {
    json!({ "type": "response.output_item.added", "output_index": place, "item": item })
}

fn ended(place: u32, item: Value) -> Value {
    json!({ "type": "response.output_item.done", "output_index": place, "item": item })
}

/// An answer with everything that this server reads, as OpenAI tells it.
fn answer() -> Vec<Value> {
    let thought = json!({ "id": "rs_1", "type": "reasoning", "summary": [{ "type": "summary_text", "text": "hm" }],
        "encrypted_content": "eA" });
    let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": "Hello", "annotations": [], "logprobs": [] }] });
    let call = json!({ "id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}",
        "status": "completed" });
    let part = |text: &str| json!({ "content_index": 0, "part": { "type": "output_text", "text": text } });
    let piece = |text: &str| json!({ "content_index": 0, "delta": text, "logprobs": [] });
    let usage = json!({ "input_tokens": 9, "input_tokens_details": { "cached_tokens": 1 }, "output_tokens": 7,
        "output_tokens_details": { "reasoning_tokens": 2 }, "total_tokens": 16 });
    let response = |status: &str, output: Value| json!({ "id": "resp_up", "object": "response", "status": status, "output": output, "usage": usage, "error": null });
    vec![
        json!({ "type": "response.created", "sequence_number": 0, "response": response("in_progress", json!([])) }),
        begun(0, json!({ "id": "rs_1", "type": "reasoning", "summary": [] })),
        about("response.reasoning_summary_part.added", 0, "rs_1", json!({ "summary_index": 0 })),
        about("response.reasoning_summary_text.delta", 0, "rs_1", json!({ "summary_index": 0, "delta": "hm" })),
        about("response.reasoning_summary_text.done", 0, "rs_1", json!({ "summary_index": 0, "text": "hm" })),
        about(
            "response.reasoning_summary_part.done",
            0,
            "rs_1",
            json!({ "summary_index": 0, "part": { "text": "hm" } }),
        ),
        ended(0, thought.clone()),
        begun(
            1,
            json!({ "id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": [] }),
        ),
        about("response.content_part.added", 1, "msg_1", part("")),
        about("response.output_text.delta", 1, "msg_1", piece("Hel")),
        about("response.output_text.delta", 1, "msg_1", piece("lo")),
        about("response.output_text.done", 1, "msg_1", json!({ "content_index": 0, "text": "Hello", "logprobs": [] })),
        about("response.content_part.done", 1, "msg_1", part("Hello")),
        ended(1, message.clone()),
        begun(2, json!({ "id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "" })),
        about("response.function_call_arguments.delta", 2, "fc_1", json!({ "delta": "{\"a\":" })),
        about("response.function_call_arguments.delta", 2, "fc_1", json!({ "delta": "1}" })),
        about("response.function_call_arguments.done", 2, "fc_1", json!({ "arguments": "{\"a\":1}" })),
        ended(2, call.clone()),
        json!({ "type": "response.completed", "response": response("completed", json!([thought, message, call])) }),
    ]
}

/// Whether that place of an event holds neither words nor a call nor the ending. Texts of wholes count as words, and
/// types decide what an event is: a word in their place is another one.
fn is_beside_the_words(_: &Value, place: &str, odd: &Value) -> bool {
    let last = place.rsplit('/').next().unwrap_or_default();
    let is_word = matches!(last, "delta" | "text" | "name" | "arguments" | "status" | "error");
    let holds_words = matches!(last, "item" | "part" | "content" | "summary" | "output" | "0" | "1" | "2");
    let is_text = odd.is_string() || odd.is_object() || odd.is_array();
    // Another number of a part is another part.
    let is_number = matches!(last, "summary_index" | "content_index") && odd.is_u64();
    let is_type = last == "type" && odd.as_str().is_some_and(|word| !word.is_empty() || place != "/type");
    !((is_word && is_text) || place == "/delta" || (holds_words && is_text) || is_type || is_number)
}

#[test]
fn an_empty_type_leaves_the_kind_of_an_event_to_its_line() {
    let plain = answer();
    let mut changed = plain.clone();
    changed.iter_mut().for_each(|event| event["type"] = json!(""));
    let (stream, plain) = (stream_of(&plain, &changed), stream_of(&plain, &plain));
    assert_eq!(decode([stream.as_bytes()]), decode([plain.as_bytes()]));
}

proptest! {
    #[test]
    fn any_one_field_beside_the_words_may_be_anything(field in odd_field()) {
        costs_nothing(&answer(), field, is_beside_the_words, |pieces| decode(pieces))?;
    }
}
