//! What is odd beside the words costs none of them.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test that counts some kinds of events")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::cuts::any_json;
use super::*;

/// An answer of a thought, a text and a call, with what servers write beside them.
fn recorded() -> Vec<Value> {
    let score = json!({ "content": [{ "token": "Hi", "logprob": -0.5, "bytes": [72], "top_logprobs": [] }] });
    let used = json!({ "prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": { "cached_tokens": 1 } });
    let chunk = |delta: Value, reason: Value| {
        json!({
            "id": "gen-1", "provider": "P", "model": "m", "object": "chat.completion.chunk", "created": 1, "usage": null,
            "system_fingerprint": "f", "service_tier": null, "error": null, "x_groq": { "id": "r", "usage": null },
            "choices": [{
                "index": 0, "delta": delta, "message": null, "finish_reason": reason, "native_finish_reason": null,
                "logprobs": score, "error": null,
            }],
        })
    };
    let call = |id: Value, function: Value| json!({ "tool_calls": [{ "index": 0, "id": id, "type": "function", "function": function, "extra_content": null }] });
    let thought = json!([{ "type": "reasoning.text", "text": "hm", "index": 0, "format": null }]);
    vec![
        chunk(
            json!({ "role": "assistant", "content": "", "annotations": [], "tool_calls": [], "function_call": null }),
            Value::Null,
        ),
        chunk(json!({ "reasoning_content": "so", "content": null, "refusal": null }), Value::Null),
        chunk(json!({ "reasoning": "hm", "reasoning_details": thought, "name": null }), Value::Null),
        chunk(json!({ "content": "Hi", "audio": null }), Value::Null),
        chunk(json!({ "content": [{ "type": "text", "text": " you", "id": 7 }] }), Value::Null),
        chunk(call(json!("c"), json!({ "name": "f", "arguments": "{\"x\"" })), Value::Null),
        chunk(call(Value::Null, json!({ "name": null, "arguments": ":1}" })), Value::Null),
        chunk(json!({}), json!("tool_calls")),
        json!({ "id": "gen-1", "choices": [], "usage": used }),
    ]
}

/// What are the words.
const WORDS: [&str; 5] = ["content", "text", "reasoning_content", "reasoning", "arguments"];

/// What hold words and calls, where there are any.
const HOLDERS: [&str; 5] = ["choices", "delta", "reasoning_details", "tool_calls", "function"];

/// The places of all values beside the words, each with the number of its chunk.
fn places(chunks: &[Value]) -> Vec<(usize, String)> {
    fn walk(value: &Value, place: &str, found: &mut Vec<String>) {
        let last = place.rsplit('/').next().unwrap_or_default();
        let is_name = last == "name" && value.is_string();
        let is_end = last == "finish_reason" && value.is_string();
        let is_full = !matches!(value, Value::Null) && value != &json!([]) && value != &json!({});
        let is_word = WORDS.contains(&last) || HOLDERS.contains(&last) && is_full;
        let is_of_a_list = last.parse::<usize>().is_ok();
        if !place.is_empty() && !is_word && !is_name && !is_end && !is_of_a_list {
            found.push(place.to_owned());
        }
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, value)| walk(value, &format!("{place}/{key}"), found))
            }
            Value::Array(values) => {
                values.iter().enumerate().for_each(|(at, value)| walk(value, &format!("{place}/{at}"), found));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let of_chunk = |(number, chunk): (usize, &Value)| {
        let mut found = Vec::new();
        walk(chunk, "", &mut found);
        found.into_iter().map(move |place| (number, place)).collect::<Vec<_>>()
    };
    chunks.iter().enumerate().flat_map(of_chunk).collect()
}

/// The words, calls and ending, without ids, probabilities and usage.
fn heard((events, result): Decoded) -> (Vec<String>, Result<(), Error>) {
    let said = |event: &ProviderEvent| match event {
        ProviderEvent::Text { text, .. } => Some(format!("text {text}")),
        ProviderEvent::Reasoning { text } => Some(format!("thought {text}")),
        ProviderEvent::FunctionCallStarted { call, name, .. } => Some(format!("call {call} {name}")),
        ProviderEvent::FunctionCallArguments { call, text } => Some(format!("arguments {call} {text}")),
        ProviderEvent::Finished(reason) => Some(format!("{reason:?}")),
        _ => None,
    };
    (events.iter().filter_map(said).collect(), result)
}

/// Whether a value in that place says something else instead of being odd: another choice or call, or an ending.
fn says_something(place: &str, odd: &Value) -> bool {
    let last = place.rsplit('/').next().unwrap_or_default();
    let holds = ["choices", "delta", "message", "reasoning_details", "tool_calls", "function_call"].contains(&last);
    let (odd_text, is_empty) =
        (odd.to_string(), [json!([]), json!({}), json!(""), json!(false), json!(0)].contains(odd));
    let means = [
        "content",
        "text",
        "reasoning",
        "function",
        "name",
        "arguments",
        "id",
        "finish_reason",
        "index",
        "error",
        "delta",
        "message",
        "tool_calls",
    ];
    let is_list = odd.as_array().is_some_and(|list| {
        let is_of_lists = list.iter().any(|entry| entry.as_array().is_some_and(|entry| !entry.is_empty()));
        !list.is_empty() && ["delta", "message", "function_call"].contains(&last) || is_of_lists
    });
    if holds && is_list {
        return true;
    }
    if holds && means.iter().any(|key| odd_text.contains(&format!("\"{key}"))) || last == "error" && !is_empty {
        return true;
    }
    let is_number = odd.as_u64().is_some() || odd.as_str().is_some_and(|text| text.parse::<u64>().is_ok());
    let is_error = |value: &Value| value.get("error").is_some_and(|error| !error.is_null());
    place.ends_with("/index") && is_number
        || place.ends_with("/finish_reason") && odd.is_string()
        || place.ends_with("/object") && odd == "error"
        || place.ends_with("/x_groq") && is_error(odd)
        || place.ends_with("/refusal") && odd.is_string()
        || place.ends_with("/name") && odd.is_string()
}

proptest! {
    #[test]
    fn any_one_odd_field_beside_the_words_costs_no_word_no_call_and_no_ending(
        at in any::<prop::sample::Index>(),
        odd in any_json(),
    ) {
        let chunks = recorded();
        let expected = heard(of_chunks(&chunks));
        let places = places(&chunks);
        let (number, place) = at.get(&places);
        prop_assume!(!says_something(place, &odd));
        let mut changed = chunks.clone();
        *changed[*number].pointer_mut(place).unwrap() = odd.clone();
        prop_assert_eq!(heard(of_chunks(&changed)), expected, "{} of {}: {}", place, number, odd);
    }

    #[test]
    fn what_no_json_value_can_hold_costs_nothing_beside_the_words(
        at in any::<prop::sample::Index>(),
        odd in prop::sample::select(&[r"1e400", r#""\ud83e""#, r#"{"a":[1e400,"\udd80"],"\ud83e":1}"#, r#""deep""#][..]),
    ) {
        let deep = format!("{}{}", "[".repeat(130), "]".repeat(130));
        let odd = if odd == r#""deep""# { &deep } else { odd };
        let chunks = recorded();
        let expected = heard(of_chunks(&chunks));
        let places = places(&chunks);
        let (number, place) = at.get(&places);
        let is_word = ["/finish_reason", "/refusal", "/name", "/error"].iter().any(|word| place.ends_with(word));
        let is_object = ["/delta", "/message", "/function_call", "/tool_calls", "/choices"].iter().any(|holder| place.ends_with(holder));
        prop_assume!(!is_object || odd != deep);
        prop_assume!(!is_word);
        let mut changed = chunks.clone();
        *changed[*number].pointer_mut(place).unwrap() = json!("@odd@");
        let stream: String = changed.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
        let (mut events, result) = decode([stream.replace("\"@odd@\"", odd).as_bytes()]);
        events.retain(|event| !matches!(event, ProviderEvent::EncryptedReasoning { .. }));
        prop_assert_eq!(heard((events, result)), expected, "{} of {}: {}", place, number, odd);
    }
}

#[test]
fn halves_of_a_character_in_two_deltas_are_one_wherever_they_stand() {
    let pieces = |field: &str| [r"a\ud83e", "", r"\udd80b"].map(|piece| format!("{{\"{field}\":\"{piece}\"}}"));
    let in_call = |piece: &str| {
        format!(
            "{{\"tool_calls\":[{{\"index\":0,\"id\":\"c\",\"function\":{{\"name\":\"f\",\"arguments\":\"{piece}\"}}}}]}}"
        )
    };
    let whole = |(events, result): Decoded| {
        assert_eq!(result, Ok(()));
        let piece = |event: &ProviderEvent| match event {
            ProviderEvent::Text { text, .. }
            | ProviderEvent::Reasoning { text }
            | ProviderEvent::Refusal { text }
            | ProviderEvent::FunctionCallArguments { text, .. } => text.clone(),
            _ => String::new(),
        };
        events.iter().map(piece).collect::<String>()
    };
    let stream = |deltas: &[String]| {
        let chunk = |delta: &String| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
        format!("{}data: {}\n\n", deltas.iter().map(chunk).collect::<String>(), finish("stop"))
    };
    for field in ["content", "reasoning", "reasoning_content", "refusal"] {
        let [first, empty, second] = pieces(field);
        assert_eq!(whole(decode([stream(&[first.clone(), empty, second]).as_bytes()])), "a\u{1f980}b", "{field}");
        assert_eq!(whole(decode([stream(&[first]).as_bytes()])), "a\u{fffd}", "{field}, cut");
    }
    let arguments = [r#"{\"x\":\"\ud83e"#, r#"\udd80\"}"#].map(in_call);
    assert_eq!(whole(decode([stream(&arguments).as_bytes()])), "{\"x\":\"\u{1f980}\"}");
}

#[test]
fn a_whole_message_is_the_answer_unless_it_came_in_pieces() {
    let message =
        |content: Value, calls: Value| json!({ "role": "assistant", "content": content, "tool_calls": calls });
    let whole = |message: Value, reason: &str| {
        json!({
            "object": "chat.completion", "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
            "usage": { "prompt_tokens": 1, "completion_tokens": 4 },
        })
    };
    let calls = json!([{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }]);
    let said = whole(message(json!("The whole."), Value::Null), "stop");
    let called = whole(message(Value::Null, calls.clone()), "tool_calls");
    let text = || vec![text("The whole."), usage(1, 4), stop()];
    let call =
        vec![started(0, "c", "f"), arguments(0, "{}"), usage(1, 4), ProviderEvent::Finished(FinishReason::ToolCalls)];
    for (answer, events) in [(&said, text()), (&called, call)] {
        check(of_chunks(std::slice::from_ref(answer)), (events.clone(), Ok(())), "as an event");
        let document = answer.to_string();
        check(decode([document.as_bytes()]), (events.clone(), Ok(())), "as a document");
        check(decode(document.as_bytes().chunks(1)), (events, Ok(())), "as a document, byte by byte");
    }
    let pieces = [delta(json!({ "content": "The whole." })), said.clone()];
    check(of_chunks(&pieces), (text(), Ok(())), "behind its pieces");
    let both = whole(message(json!("The whole."), calls.clone()), "tool_calls");
    let called_too = [super::text("The whole."), started(0, "c", "f"), arguments(0, "{}"), usage(1, 4)];
    let called_too = [&called_too[..], &[ProviderEvent::Finished(FinishReason::ToolCalls)]].concat();
    let in_pieces = [json!({ "content": "The whole." }), json!({ "tool_calls": calls })].map(delta);
    let mut in_one_chunk = both.clone();
    in_one_chunk["choices"][0]["delta"] = json!({ "content": "The whole." });
    for (chunks, what) in [
        (vec![in_pieces[0].clone(), both.clone()], "words in pieces, calls in the message alone"),
        ([&in_pieces[..], &[both]].concat(), "words and calls in pieces"),
        (vec![in_one_chunk], "words in the delta, calls in the message beside it"),
    ] {
        check(of_chunks(&chunks), (called_too.clone(), Ok(())), what);
    }
    let mut beside = said.clone();
    beside["choices"][0]["delta"] = json!({});
    check(of_chunks(&[beside]), (text(), Ok(())), "beside an empty delta");
    let thought = delta(json!({ "reasoning": "hm" }));
    check(of_chunks(&[thought, said.clone()]), ([vec![reasoning("hm")], text()].concat(), Ok(())), "behind a thought");
    let cut = Err(Error::Empty { what: "the answer is no event stream" });
    check(decode([&said.to_string().as_bytes()[..40]]), (vec![], cut), "a document that was cut");
    let page = "<!doctype html><title>Sign in</title>";
    check(decode([page.as_bytes()]), (vec![], Err(Error::Empty { what: "the answer is no event stream" })), "a page");
}

#[test]
fn what_a_server_writes_for_nothing_is_nothing() {
    let hi = vec![text("Hi"), stop()];
    let chunks = |delta: Value| vec![super::delta(delta), finish("stop")];
    for odd in [json!(""), json!({}), json!([null]), json!(false), json!(7)] {
        check(of_chunks(&chunks(json!({ "content": "Hi", "tool_calls": odd }))), (hi.clone(), Ok(())), "tool_calls");
        check(
            of_chunks(&chunks(json!({ "content": "Hi", "function_call": odd }))),
            (hi.clone(), Ok(())),
            "function_call",
        );
        let mut message = chunks(json!({ "content": "Hi" }));
        message[0]["choices"][0]["message"] = odd.clone();
        message[1]["choices"][0]["delta"] = odd.clone();
        message.push(json!({ "choices": odd }));
        check(of_chunks(&message), (hi.clone(), Ok(())), "message, delta, choices");
    }
    for odd in [json!(""), json!({}), json!([]), json!(false), json!(0)] {
        let mut error = chunks(json!({ "content": "Hi" }));
        error[0]["error"] = odd.clone();
        error[0]["choices"][0]["error"] = odd.clone();
        error[1]["x_groq"] = json!({ "error": odd });
        check(of_chunks(&error), (hi.clone(), Ok(())), "error");
    }
    let alone = json!({ "id": "c", "function": { "name": "f", "arguments": "{}" } });
    let (events, result) = of_chunks(&chunks(json!({ "tool_calls": alone })));
    assert_eq!((events, result), (vec![started(0, "c", "f"), arguments(0, "{}"), stop()], Ok(())), "a call alone");
}

#[test]
fn words_in_parts_of_any_kind_are_said() {
    let part = |kind: &str, key: &str| json!({ "type": kind, key: "Hi" });
    for (content, said) in [
        (json!([part("summary_text", "text")]), text("Hi")),
        (json!([{ "type": 5, "text": "Hi" }]), text("Hi")),
        (json!([null, "Hi", { "type": "image_url", "image_url": {} }]), text("Hi")),
        (part("text", "text"), text("Hi")),
        (json!([part("refusal", "refusal")]), refusal("Hi")),
        (json!([part("refusal", "text")]), refusal("Hi")),
        (json!([part("thinking", "thinking")]), reasoning("Hi")),
        (json!([{ "type": "thinking", "thinking": [7, "H", { "type": "text", "text": "i" }] }]), reasoning("Hi")),
        (json!([part("reasoning", "text")]), reasoning("Hi")),
    ] {
        let what = content.to_string();
        check(of_chunks(&[delta(json!({ "content": content })), finish("stop")]), (vec![said, stop()], Ok(())), &what);
    }
    let (events, result) = of_chunks(&[delta(json!({ "content": [7] })), finish("stop")]);
    assert_eq!((events, result), (vec![], Err(protocol("a chunk has not the form of one"))));
}

#[test]
fn an_odd_detail_of_a_thought_costs_no_other_and_halves_in_two_are_joined() {
    let chunk = |details: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"reasoning_details\":{details}}}}}]}}\n\n")
    };
    let entry = |kind: &str, key: &str, words: &str| format!(r#"{{"type":"{kind}","index":0,"{key}":"{words}"}}"#);
    let said = |chunks: &[String]| {
        let stream = format!("{}data: {}\n\n", chunks.concat(), finish("stop"));
        let (events, result) = decode([stream.as_bytes()]);
        assert_eq!(result, Ok(()), "{stream}");
        let words = |event: &ProviderEvent| match event {
            ProviderEvent::Reasoning { text } | ProviderEvent::ReasoningSummary { text, .. } => text.clone(),
            _ => String::new(),
        };
        events.iter().map(words).collect::<String>()
    };
    for (kind, key) in [("reasoning.text", "text"), ("reasoning.summary", "summary"), ("reasoning.new", "text")] {
        let first = entry(kind, key, r"a\ud83e");
        let halves = [format!("[{first}]"), format!("[{}]", entry(kind, key, r"\udd80b"))];
        assert_eq!(said(&halves.map(|list| chunk(&list))), "a\u{1f980}b", "{kind}");
        assert_eq!(said(&[chunk(&format!("[{first}]"))]), "a\u{fffd}", "{kind}, cut");
    }
    let odd = r#"{"type":"reasoning.text","text":"a","index":0,"n":1e400}"#;
    let all = format!("[7,{odd},null,{}]", entry("reasoning.text", "text", "b"));
    assert_eq!(said(&[chunk(&all), chunk(odd)]), "aba");
    assert_eq!(said(&[chunk(odd)]), "a", "one alone");
}

#[test]
fn of_a_key_that_comes_twice_the_last_counts() {
    let stream = [
        r#"{"id":1,"id":2,"choices":[{"index":5,"index":0,"delta":{"content":"x","content":"Hi"}}],"usage":7,"usage":null}"#,
        r#"{"choices":[{"delta":{"content":"x"},"delta":{},"finish_reason":null,"finish_reason":"stop"}]}"#,
    ];
    let stream: String = stream.iter().map(|data| format!("data: {data}\n\n")).collect();
    check(decode([stream.as_bytes()]), (vec![text("Hi"), stop()], Ok(())), "twice");
}

#[test]
fn calls_that_are_told_as_one_are_several() {
    let call = |name: &str, arguments: &str| {
        delta(
            json!({ "tool_calls": [{ "index": 0, "id": "c", "function": { "name": name, "arguments": arguments } }] }),
        )
    };
    for chunks in [
        vec![call("f", "{}"), call("f", "{\"x\":1}"), call("g", "{}")],
        vec![call("f", "{"), call("f", "}"), call("f", "{\"x\":1"), call("f", "}"), call("g", "{}")],
    ] {
        let (events, result) = of_chunks(&[chunks, vec![finish("stop")]].concat());
        let mut calls: Vec<(String, String)> = Vec::new();
        for event in &events {
            match event {
                ProviderEvent::FunctionCallStarted { name, .. } => calls.push((name.clone(), String::new())),
                ProviderEvent::FunctionCallArguments { call, text } => calls[*call as usize].1.push_str(text),
                _ => {}
            }
        }
        let expected = [("f", "{}"), ("f", "{\"x\":1}"), ("g", "{}")].map(|(name, text)| (name.into(), text.into()));
        assert_eq!((calls, result), (expected.to_vec(), Ok(())));
    }
}

#[test]
fn an_error_is_of_its_kind_whatever_stands_beside_it() {
    let error = r#""error":{"code":503}"#;
    for beside in [r#""x":1e999"#, r#""x":["\ud83e"]"#, r#""x":1,"x":2"#, r#""choices":"none""#] {
        let stream = format!("data: {{{error},{beside}}}\n\n");
        assert_eq!(decode([stream.as_bytes()]).1, Err(Error::Reported(crate::Report::Overloaded)), "{beside}");
    }
}

#[test]
fn a_key_that_comes_twice_costs_no_word_beside_half_a_character() {
    let half = r#"{"choices":[{"index":0,"index":0,"delta":{"content":"a\ud83e"}}]}"#;
    let rest = r#"{"choices":[{"delta":{"content":"x","content":"\udd16"},"finish_reason":"stop"}]}"#;
    let stream = format!("data: {half}\n\ndata: {rest}\n\n");
    check(decode([stream.as_bytes()]), (vec![text("a"), text("\u{1f916}"), stop()], Ok(())), "one character");
}
