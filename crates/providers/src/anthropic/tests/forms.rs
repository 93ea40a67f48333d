//! Answers in other forms than that of the protocol.

use serde_json::{Value, json};

use super::{Decoded, arguments, begin, decode, delta, finish, start, stop, tool_use, written};
use crate::odd_json::essence;
use crate::{Error, ProviderEvent};
use antiphon_domain::FinishReason;
use antiphon_protocol::Usage;

fn heard(events: &[Value]) -> Decoded {
    decode([written(events).as_bytes()])
}

fn ended(events: &[Value]) -> Result<FinishReason, Error> {
    let (events, result) = heard(events);
    let reason = events.into_iter().find_map(|event| {
        let ProviderEvent::Finished(reason) = event else { return None };
        Some(reason)
    });
    result.map(|()| reason.unwrap())
}

fn mark() -> Value {
    json!({ "type": "message_stop" })
}

/// The start of a text.
fn text(index: u32, text: &str) -> Value {
    start(index, json!({ "type": "text", "text": text }))
}

#[test]
fn words_for_a_block_of_no_known_kind_are_a_block_of_their_own() {
    let all = |start: Value, piece: Value| [begin(), start, delta(0, piece), stop(0), finish("end_turn"), mark()];
    let piece = || json!({ "type": "text_delta", "text": "Hi" });
    let plain = essence(heard(&all(text(0, ""), piece())));
    for odd in [json!(null), json!({}), json!(7), json!({ "type": "" }), json!({ "type": "Text" })] {
        assert_eq!(essence(heard(&all(start(0, odd.clone()), piece()))), plain, "{odd}");
    }
    for kind in ["", "output_text_delta"] {
        let odd = json!({ "type": kind, "text": "Hi" });
        assert_eq!(essence(heard(&all(text(0, ""), odd))), plain, "{kind}");
    }
    // No words of the text that is open beside it.
    let beside = |block: Value| vec![begin(), text(0, "Hel"), start(1, block), delta(1, piece()), finish("end_turn")];
    let part = json!({ "type": "text", "text": "" });
    assert_eq!(heard(&beside(json!({}))), heard(&beside(part)));
}

#[test]
fn the_reason_behind_the_last_output_counts() {
    let more = |first: &str, last: &str| {
        ended(&[begin(), text(0, "Hel"), stop(0), finish(first), text(1, "lo"), stop(1), finish(last), mark()])
    };
    let at_once = |first: &str, last: &str| ended(&[begin(), text(0, "Hi"), stop(0), finish(first), finish(last)]);
    let not_known = || Err(Error::Protocol { what: "a reason to finish that is not known" });
    for (first, last, of_more, of_none) in [
        ("end_turn", "end_turn", Ok(FinishReason::Stop), Ok(FinishReason::Stop)),
        ("end_turn", "max_tokens", Ok(FinishReason::Length), Ok(FinishReason::Length)),
        ("end_turn", "refusal", Ok(FinishReason::ContentFilter), Ok(FinishReason::ContentFilter)),
        ("end_turn", "of_the_future", not_known(), not_known()),
        // Without output between them, a reason of an answer that is not complete stays.
        ("max_tokens", "end_turn", Ok(FinishReason::Stop), Ok(FinishReason::Length)),
        ("of_the_future", "end_turn", Ok(FinishReason::Stop), not_known()),
    ] {
        assert_eq!(more(first, last), of_more, "{first} {last}");
        assert_eq!(at_once(first, last), of_none, "{first} {last}");
    }
}

#[test]
fn what_a_message_begins_with_is_a_part_of_it() {
    let hi = || json!([{ "type": "text", "text": "Hi" }]);
    let begin_with = |more: Value| {
        let mut begin = begin();
        begin["message"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        begin
    };
    let plain = essence(heard(&[begin(), text(0, "Hi"), stop(0), finish("end_turn"), mark()]));
    for content in [hi(), json!("Hi"), json!(["Hi"]), json!({ "type": "text", "text": "Hi" })] {
        let begun = begin_with(json!({ "content": content }));
        assert_eq!(essence(heard(&[begun, finish("end_turn"), mark()])), plain, "{content}");
    }
    let whole = begin_with(json!({ "content": hi(), "stop_reason": "end_turn", "usage": { "output_tokens": 7 } }));
    let (events, result) = heard(&[whole, mark()]);
    let usage = Usage { output_tokens: 7, total_tokens: 7, ..Usage::default() };
    assert!(events.contains(&ProviderEvent::Usage(usage)), "{events:?}");
    assert_eq!(essence((events, result)), plain);
    // A reason before any output is none.
    let early = begin_with(json!({ "stop_reason": "end_turn" }));
    assert_eq!(ended(&[early, text(0, "Hi"), stop(0)]), Err(Error::Closed));
}

#[test]
fn an_answer_without_output_is_complete_only_in_a_form_that_is_known() {
    let future = || delta(0, json!({ "type": "of_the_future", "value": "Hi" }));
    let unknown = || Err(Error::Empty { what: "its form is not known" });
    let bare = || json!({ "type": "message_start", "message": { "id": "msg_1" } });
    for (events, ending) in [
        (vec![begin()], Ok(FinishReason::Stop)),
        (vec![bare(), text(0, ""), stop(0)], Ok(FinishReason::Stop)),
        (vec![bare(), start(0, tool_use("1", json!({}))), future(), stop(0)], Ok(FinishReason::Stop)),
        (vec![bare()], unknown()),
        (vec![begin(), future()], unknown()),
        (vec![begin(), start(0, json!({ "type": "", "value": "Hi" })), stop(0)], unknown()),
        (vec![begin(), text(0, ""), future(), stop(0)], unknown()),
    ] {
        assert_eq!(ended(&[&events[..], &[finish("end_turn"), mark()]].concat()), ending, "{events:?}");
        let cut = ended(&[&events[..], &[finish("max_tokens"), mark()]].concat());
        assert_eq!(cut, Ok(FinishReason::Length), "{events:?}");
    }
    let whole = json!({ "type": "message", "stop_reason": "end_turn", "answer": "Hi" });
    assert_eq!(ended(&[whole]), unknown());
}

#[test]
fn a_whole_message_is_the_answer_behind_a_beginning_but_not_behind_pieces() {
    let pieces = [begin(), start(0, json!({ "type": "text", "text": "Hel" })), stop(0)];
    let of = |text: &str| {
        let content = json!([{ "type": "text", "text": text }]);
        json!({ "type": "message", "id": "msg_1", "content": content, "stop_reason": "end_turn" })
    };
    let end = json!({ "type": "message_stop" });
    let expected = decode([written(&[&pieces[..], &[finish("end_turn"), end.clone()]].concat()).as_bytes()]);
    let mut beside = of("Hel");
    beside["message"] = json!({ "x": 1 });
    for last in [of("Hel"), json!({ "type": "message", "message": of("Hel") }), beside] {
        assert_eq!(decode([written(&[begin(), last.clone(), end.clone()]).as_bytes()]), expected);
        assert_eq!(decode([written(&[last, end.clone()]).as_bytes()]), expected);
    }
    for content in [json!(null), json!([])] {
        let last = json!({ "type": "message", "content": content, "stop_reason": "end_turn" });
        assert_eq!(decode([written(&[&pieces[..], &[last, end.clone()]].concat()).as_bytes()]), expected);
    }
    let (_, result) = decode([written(&[&pieces[..], &[of("Hello"), end.clone()]].concat()).as_bytes()]);
    assert_eq!(result, Err(Error::Protocol { what: "a whole message behind pieces of another one" }));
}

#[test]
fn a_whole_message_behind_its_pieces_says_how_they_end_if_it_says_the_same() {
    let call = |index: u32, json: &str| [start(index, tool_use("t", json!({}))), arguments(index, json), stop(index)];
    let thought = start(0, json!({ "type": "thinking", "thinking": "hm" }));
    let words = [begin(), thought, stop(0), text(1, "Hi"), stop(1)];
    let pieces = [&words[..], &call(2, "{\"a b\": 1}"), &call(3, "{}")].concat();
    let whole = |thought: &str, text: &str, inputs: &[Value]| {
        let words = [json!({ "type": "thinking", "thinking": thought }), json!({ "type": "text", "text": text })];
        let calls = inputs.iter().map(|input| tool_use("t", input.clone()));
        let content: Vec<Value> = words.into_iter().chain(calls).collect();
        json!({ "type": "message", "content": content, "stop_reason": "tool_use", "usage": { "output_tokens": 9 } })
    };
    let mut last = finish("tool_use");
    last["usage"] = json!({ "output_tokens": 9 });
    let expected = heard(&[&pieces[..], &[last, mark()]].concat());
    let behind = |last: Value| heard(&[&pieces[..], &[last, mark()]].concat());
    let inputs = [json!({ "a b": 1 }), json!({})];
    assert_eq!(behind(whole("hm", "Hi", &inputs)), expected);
    for other in [
        whole("h", "Hi", &inputs),
        whole("hm", "Hi, you", &inputs),
        whole("hm", "Hi", &[json!({ "ab": 1 }), json!({})]),
        whole("hm", "Hi", &[json!({ "a b": 1 }), json!({ "a": 1 })]),
        whole("hm", "Hi", &[json!({ "a b": 1 })]),
    ] {
        let fault = Err(Error::Protocol { what: "a whole message behind pieces of another one" });
        assert_eq!(behind(other.clone()).1, fault, "{other}");
    }
}
