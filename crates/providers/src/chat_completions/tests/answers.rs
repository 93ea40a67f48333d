use serde_json::{Value, json};

use super::*;
use crate::Report;
use antiphon_protocol::TopLogProb;

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
    let thoughts = ["hm", "so", "both", "new"].map(reasoning);
    assert_eq!(events, [&thoughts[..], &[text("Hi"), refusal("no"), stop()]].concat());
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
        let chunks = [vec![delta(json!({ "content": "Hi" }))], chunks].concat();
        assert_eq!(of_chunks(&chunks), (vec![text("Hi"), usage(3, 4), stop()], Ok(())), "{chunks:?}");
    }
}

#[test]
fn the_tier_is_the_last_one_that_is_told_if_it_is_a_word() {
    let served = |tier: Value| json!({ "choices": [{ "delta": { "content": "x" } }], "service_tier": tier });
    for (last, tier) in
        [(json!("flex"), "flex"), (Value::Null, "auto"), (json!(["flex"]), "auto"), (json!("x".repeat(65)), "auto")]
    {
        let tier = ProviderEvent::ServiceTier { tier: tier.to_owned() };
        let expected = vec![text("x"), text("x"), tier, stop()];
        assert_eq!(of_chunks(&[served(json!("auto")), served(last), finish("stop")]), (expected, Ok(())));
    }
}

#[test]
fn usage_that_grows_with_every_chunk_is_told_as_it_grows_and_nothing_twice() {
    let used = |count: u64| json!({ "prompt_tokens": 3, "completion_tokens": count, "total_tokens": 0 });
    let said = |count| json!({ "choices": [{ "delta": { "content": "x" } }], "usage": used(count) });
    let nothing = json!({ "choices": [], "usage": { "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 } });
    let chunks = [nothing.clone(), said(1), said(1), said(2), finish("stop"), json!({ "usage": used(3) }), nothing];
    let x = || text("x");
    let expected = vec![x(), usage(3, 1), x(), x(), usage(3, 2), usage(3, 3), stop()];
    check(of_chunks(&chunks), (expected, Ok(())), "cumulative");
}

#[test]
fn details_of_the_usage_are_found_under_all_their_names() {
    for (details, cached, written, reasoning) in [
        (json!({}), 0, 0, 0),
        (json!({ "prompt_tokens_details": null, "completion_tokens_details": null }), 0, 0, 0),
        (json!({ "prompt_tokens_details": { "cached_tokens": 4, "audio_tokens": null } }), 4, 0, 0),
        (json!({ "prompt_tokens_details": { "cached_tokens": 4, "cache_write_tokens": 2 } }), 4, 2, 0),
        (json!({ "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6 }), 4, 0, 0),
        (json!({ "prompt_tokens_details": { "cached_tokens": 0 }, "prompt_cache_hit_tokens": 4 }), 4, 0, 0),
        (json!({ "cached_tokens": 4 }), 4, 0, 0),
        (json!({ "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2 }), 4, 2, 0),
        (json!({ "completion_tokens_details": { "reasoning_tokens": 5 } }), 0, 0, 5),
        (json!({ "reasoning_tokens": 5 }), 0, 0, 5),
    ] {
        let mut used = json!({ "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30 });
        used.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        let (events, _) = of_chunks(&[json!({ "choices": [], "usage": used })]);
        let [ProviderEvent::Usage(usage)] = events[..] else { unreachable!("{events:?}") };
        let input = usage.input_tokens_details;
        assert_eq!((input.cached_tokens, input.cache_write_tokens), (cached, written), "{details}");
        assert_eq!((usage.output_tokens_details.reasoning_tokens, usage.total_tokens), (reasoning, 30), "{details}");
    }
}

#[test]
fn odd_counts_are_rounded_reconciled_or_none() {
    let none = None;
    for (report, counts) in [
        (json!({ "prompt_tokens": 14417.92, "completion_tokens": 57.0, "total_tokens": 14474.92 }), Some((14418, 57))),
        (json!({ "prompt_tokens": 10, "completion_tokens": 20, "prompt_tokens_details": [] }), Some((10, 20))),
        (json!({ "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": "many" }), Some((10, 20))),
        (json!({ "prompt_tokens": 10, "completion_tokens": 20, "cached_tokens": -4 }), Some((10, 20))),
        // Gemini's thoughts, and Anthropic's cache behind a gateway.
        (
            json!({ "prompt_tokens": 10, "completion_tokens": 20, "reasoning_tokens": 50, "total_tokens": 80 }),
            Some((10, 70)),
        ),
        (json!({ "prompt_tokens": 10, "completion_tokens": 20, "cache_read_input_tokens": 40 }), Some((50, 20))),
        (json!({ "prompt_tokens": -1, "completion_tokens": 20 }), none),
        (json!({ "prompt_tokens": "10", "completion_tokens": 20 }), none),
        (json!({ "prompt_tokens": 1e12, "completion_tokens": 20 }), none),
        (json!([]), none),
        (json!(7), none),
    ] {
        let (events, result) = of_chunks(&[json!({ "choices": [], "usage": report })]);
        let reported = match &events[..] {
            [ProviderEvent::Usage(usage)] => Some((usage.input_tokens, usage.output_tokens)),
            _ => None,
        };
        assert_eq!((reported, result), (counts, Err(Error::Closed)), "{report}");
    }
}

#[test]
fn a_reason_to_finish_ends_the_answer_as_it_says() {
    for (word, meaning) in [
        ("stop", Ok(FinishReason::Stop)),
        ("MAX_TOKENS", Ok(FinishReason::Length)),
        ("SAFETY", Ok(FinishReason::ContentFilter)),
        ("tool_calls", Ok(FinishReason::ToolCalls)),
        ("abort", Err(Error::Reported(Report::Other))),
        ("of_the_future", Err(protocol("a reason to finish that is not known"))),
        ("st\u{0}op", Err(protocol("a reason to finish that is not known"))),
        (&"x".repeat(100_000), Err(protocol("a reason to finish that is not known"))),
    ] {
        let (events, result) = of_chunks(&[finish(word)]);
        let expected: Vec<_> = meaning.clone().into_iter().map(ProviderEvent::Finished).collect();
        assert_eq!((events, result), (expected, meaning.map(|_| ())), "{word}");
    }
}

#[test]
fn what_comes_after_the_reason_to_finish_is_of_the_answer() {
    let say = |text: &str| delta(json!({ "content": text }));
    let stopped = |delta: Value| json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": "stop" }] });
    let used = || json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 5 } });
    let call =
        || delta(json!({ "tool_calls": [{ "index": 0, "id": "c", "function": { "name": "f", "arguments": "{}" } }] }));
    let called = || vec![started(0, "c", "f"), ProviderEvent::FunctionCallArguments { call: 0, text: "{}".to_owned() }];
    let ended = |reason| vec![ProviderEvent::Finished(reason)];
    let words = || vec![text("Hel"), text("lo")];
    for (what, chunks, expected) in [
        ("words", vec![say("Hel"), finish("stop"), say("lo"), used()], [words(), vec![usage(7, 5), stop()]].concat()),
        ("a call", vec![say("Hel"), finish("stop"), call()], [vec![text("Hel")], called(), vec![stop()]].concat()),
        (
            "a reason with every chunk",
            vec![stopped(json!({ "reasoning": "I" })), stopped(json!({ "content": "Hel" })), say("lo")],
            [vec![reasoning("I")], words(), vec![stop()]].concat(),
        ),
        (
            "a reason with every chunk, and the true one",
            vec![stopped(json!({ "content": "Hel" })), stopped(json!({ "content": "lo" })), finish("length")],
            [words(), ended(FinishReason::Length)].concat(),
        ),
        (
            "a cut that was none",
            vec![say("Hel"), finish("length"), say("lo"), finish("stop")],
            [words(), vec![stop()]].concat(),
        ),
        (
            "two reasons",
            vec![say("Hel"), say("lo"), finish("length"), finish("stop")],
            [words(), ended(FinishReason::Length)].concat(),
        ),
        (
            "a word that says nothing yet",
            vec![say("Hel"), finish("null"), say("lo"), finish("stop")],
            [words(), vec![stop()]].concat(),
        ),
    ] {
        check(of_chunks(&chunks), (expected, Ok(())), what);
    }
}

#[test]
fn output_after_the_reason_to_finish_needs_an_end() {
    let say = |text: &str| delta(json!({ "content": text }));
    let stopped = |text: &str| json!({ "choices": [{ "delta": { "content": text }, "finish_reason": "stop" }] });
    let used = || json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 5 } });
    let stream = |chunks: &[Value]| chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect::<String>();
    let all = || vec![text("Hel"), text("lo"), stop()];
    for (chunks, is_over, is_reason_last) in [
        (vec![say("Hel"), say("lo"), finish("stop")], true, true),
        (vec![say("Hel"), finish("stop"), say("lo")], false, false),
        (vec![stopped("Hel"), stopped("lo")], false, true),
        (vec![stopped("Hel"), stopped("lo"), finish("stop")], false, true),
    ] {
        let stream = stream(&chunks);
        let given = |is_complete, error| match is_complete {
            true => (all(), Ok(())),
            false => (all()[..2].to_vec(), Err(error)),
        };
        check(lost_after(&stream), given(is_over, Error::Closed), &stream);
        check(silent_after(&stream), given(is_reason_last, Error::IdleTimeout), &stream);
        // The end of the bytes, and the end mark, without the line break behind it.
        check(decode([stream.as_bytes()]), (all(), Ok(())), &stream);
        check(lost_after(&format!("{stream}data: [DONE]")), (all(), Ok(())), &stream);
        check(silent_after(&format!("{stream}data: [DONE]")), (all(), Ok(())), &stream);
    }
    let counted = stream(&[say("Hel"), say("lo"), finish("stop"), used()]);
    check(lost_after(&counted), (vec![text("Hel"), text("lo"), usage(7, 5), stop()], Ok(())), "usage is expected");
    let unfinished = stream(&[say("Hel")]);
    check(silent_after(&unfinished), (vec![text("Hel")], Err(Error::IdleTimeout)), "no reason");
    check(lost_after(&unfinished), (vec![text("Hel")], Err(Error::Closed)), "no reason");
}

#[test]
fn an_error_after_the_reason_to_finish_is_an_error() {
    let begun = format!("data: {}\n\ndata: {}\n\n", delta(json!({ "content": "Hi" })), finish("stop"));
    for (after, error) in [
        ("data: {\"error\":{\"code\":503}}\n\n", Error::Reported(Report::Overloaded)),
        ("event: error\ndata: it broke\n\n", Error::Reported(Report::Other)),
        ("data: nonsense\n\n", protocol("a chunk has not the form of one")),
        ("data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}\n\n", protocol("more than one choice")),
    ] {
        check(decode([format!("{begun}{after}").as_bytes()]), (vec![text("Hi")], Err(error)), after);
    }
}

#[test]
fn an_answer_without_output_is_complete_only_if_none_was_counted() {
    let used = |output: u64, thoughts: u64| {
        let details = json!({ "reasoning_tokens": thoughts });
        json!({ "usage": { "prompt_tokens": 7, "completion_tokens": output, "completion_tokens_details": details } })
    };
    let lost = || Err(Error::Empty { what: "output was counted" });
    let no_delta = json!({ "choices": [{ "index": 0, "finish_reason": "stop" }] });
    let blank = || delta(json!({ "content": "\n" }));
    for (what, chunks, expected) in [
        ("nothing", vec![finish("stop")], Ok(())),
        ("an end mark", vec![finish("stop"), used(1, 0)], Ok(())),
        ("thoughts that are not shown", vec![finish("stop"), used(90, 90)], Ok(())),
        ("white space", vec![blank(), finish("stop"), used(2, 0)], Ok(())),
        ("words", vec![finish("stop"), used(4, 0)], lost()),
        ("words and thoughts", vec![finish("tool_calls"), used(94, 90)], lost()),
        ("an answer that was cut", vec![finish("length"), used(90, 0)], Ok(())),
        ("no form that is known", vec![no_delta.clone()], Err(Error::Empty { what: "its form is not known" })),
        ("an end without a delta", vec![blank(), no_delta], Ok(())),
    ] {
        assert_eq!(of_chunks(&chunks).1, expected, "{what}");
    }
}

#[test]
fn errors_in_mid_stream_are_seen_in_all_their_shapes() {
    for (error, report) in [
        ("data: {\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":null,\"param\":null}}\n\n", Report::Other),
        ("data: {\"error\":\"overloaded\"}\n\n", Report::Other),
        ("data: {\"object\":\"error\",\"message\":\"m\",\"code\":500}\n\n", Report::Other),
        ("data: {\"object\":\"error\",\"message\":\"m\",\"code\":429}\n\n", Report::RateLimited),
        ("event: error\ndata: it broke\n\n", Report::Other),
        ("event: error\ndata: {\"message\":\"m\",\"code\":503}\n\n", Report::Overloaded),
        ("event: error\ndata: {\"error\":{\"type\":\"overloaded_error\"}}\n\n", Report::Overloaded),
        (
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}],\"error\":{}}\n\n",
            Report::Other,
        ),
        ("data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\n", Report::Other),
        ("data: {\"choices\":[{\"finish_reason\":\"error\",\"error\":{\"code\":502}}]}\n\n", Report::Overloaded),
        ("data: {\"choices\":[{\"finish_reason\":\"stop\",\"error\":{\"code\":\"429\"}}]}\n\n", Report::RateLimited),
        ("data: {\"x_groq\":{\"error\":\"over capacity\"},\"choices\":[]}\n\n", Report::Other),
        ("data: {\"error\":{\"message\":\"no blank line\"}}", Report::Other),
    ] {
        let stream = format!("data: {}\n\n{error}", delta(json!({ "content": "Hi" })));
        check(decode([stream.as_bytes()]), (vec![text("Hi")], Err(Error::Reported(report))), error);
    }
}

#[test]
fn what_an_error_is_about_is_read_from_words_and_from_numbers() {
    for (error, report) in [
        (json!({ "code": "rate_limit_exceeded" }), Report::RateLimited),
        (json!({ "code": 429, "status": "RESOURCE_EXHAUSTED" }), Report::RateLimited),
        (json!({ "code": "429" }), Report::RateLimited),
        (json!({ "code": null, "type": "overloaded_error" }), Report::Overloaded),
        (json!({ "code": 503 }), Report::Overloaded),
        (json!({ "code": "529" }), Report::Overloaded),
        (json!({ "code": 500 }), Report::Other),
        (json!({ "code": -429 }), Report::Other),
        (json!({ "code": ["rate_limit_exceeded"] }), Report::Other),
        (json!({ "message": "rate_limit_exceeded" }), Report::Other),
    ] {
        let (_, result) = of_chunks(&[json!({ "error": error })]);
        assert_eq!(result, Err(Error::Reported(report)), "{error}");
    }
}

#[test]
fn what_an_answer_used_is_known_though_it_ends_in_an_error() {
    let used = json!({ "prompt_tokens": 3, "completion_tokens": 4 });
    let chunks = [delta(json!({ "content": "Hi" })), json!({ "error": { "code": 503 }, "usage": used })];
    let expected = (vec![text("Hi"), usage(3, 4)], Err(Error::Reported(Report::Overloaded)));
    check(of_chunks(&chunks), expected, "usage beside the error");
}

#[test]
fn a_thought_is_told_once_however_often_it_is_written() {
    let detail = |kind: &str, key: &str, words: &str| json!({ "type": kind, key: words, "index": 1, "format": "f" });
    let summary = |part, text: &str| ProviderEvent::ReasoningSummary { part, text: text.to_owned() };
    let said = || detail("reasoning.text", "text", "hm");
    for (thought, expected) in [
        (json!({ "reasoning_details": [said()] }), vec![reasoning("hm")]),
        (json!({ "reasoning": "hm", "reasoning_details": [said()] }), vec![reasoning("hm")]),
        (json!({ "reasoning": "hm", "reasoning_content": "hm", "reasoning_details": [said()] }), vec![reasoning("hm")]),
        (json!({ "reasoning": "hm", "reasoning_details": [] }), vec![reasoning("hm")]),
        (json!({ "reasoning": "hm", "reasoning_details": null }), vec![reasoning("hm")]),
        (
            json!({ "reasoning": "in short", "reasoning_details": [detail("reasoning.summary", "summary", "in short")] }),
            vec![summary(1, "in short")],
        ),
        (
            json!({ "reasoning": "hm", "reasoning_details": [detail("reasoning.encrypted", "data", "x==")] }),
            vec![reasoning("hm")],
        ),
        (json!({ "reasoning_details": [detail("reasoning.text", "signature", "s"), { "type": "new" }, {}] }), vec![]),
        (json!({ "reasoning": "", "reasoning_content": "", "reasoning_details": [said()] }), vec![reasoning("hm")]),
    ] {
        let (events, result) = of_chunks(&[delta(thought.clone()), finish("stop")]);
        check((events, result), ([expected, vec![stop()]].concat(), Ok(())), &thought.to_string());
    }
}

#[test]
fn words_in_parts_are_words() {
    let thinking = json!({ "type": "thinking", "thinking": [{ "type": "text", "text": "h" }, { "text": "m" }] });
    let (events, result) = of_chunks(&[
        delta(json!({ "content": [] })),
        delta(json!({ "content": [thinking, { "type": "text", "text": "Hi" }, { "type": "text", "text": "" }] })),
        delta(json!({ "content": [{ "type": "reference", "reference_ids": [1] }, { "text": " you" }] })),
        delta(json!({ "content": [{ "type": "refusal", "refusal": "no" }] })),
        finish("stop"),
    ]);
    let expected = vec![reasoning("hm"), text("Hi"), text(" you"), refusal("no"), stop()];
    check((events, result), (expected, Ok(())), "parts");
}

#[test]
fn thinking_tags_in_the_text_are_text() {
    let chunks = [delta(json!({ "content": "<think>\nhm</think>" })), finish("stop")];
    check(of_chunks(&chunks), (vec![text("<think>\nhm</think>"), stop()], Ok(())), "tags");
}

#[test]
fn white_space_alone_is_no_message() {
    let say = |text: &str| delta(json!({ "content": text }));
    let think = || delta(json!({ "reasoning_content": "hm" }));
    let call = || delta(json!({ "tool_calls": [{ "index": 0, "id": "c", "function": { "name": "f" } }] }));
    let called = || started(0, "c", "f");
    let hm = || reasoning("hm");
    for (what, chunks, expected) in [
        ("between a thought and a call", vec![think(), say("\n\n"), call()], vec![hm(), called()]),
        ("before the end", vec![say(" "), say("\n")], vec![]),
        ("before text", vec![say("\n"), say(" "), say(" Hi")], vec![text("\n  Hi")]),
        ("between a thought and text", vec![think(), say("\n"), say("Hi")], vec![hm(), text("\nHi")]),
        ("before a thought", vec![say("\n"), think(), say("Hi")], vec![hm(), text("\nHi")]),
        ("in a message", vec![say("Hi"), say("\n"), say(" ")], vec![text("Hi"), text("\n"), text(" ")]),
        ("after a message", vec![say("Hi"), say("\n"), call()], vec![text("Hi"), text("\n"), called()]),
        ("after a call", vec![call(), say("\n")], vec![called()]),
        ("after a second thought", vec![say("Hi"), think(), say("\n")], vec![text("Hi"), hm()]),
        ("after a refusal", vec![delta(json!({ "refusal": "no" })), say("\n")], vec![refusal("no"), text("\n")]),
    ] {
        let chunks = [chunks, vec![finish("stop")]].concat();
        check(of_chunks(&chunks), ([expected, vec![stop()]].concat(), Ok(())), what);
    }
}

fn scored(delta: Value, logprobs: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": null }] })
}

#[test]
fn probabilities_go_with_their_text() {
    let token = |token: &str, bytes: Value| json!({ "token": token, "logprob": -0.5, "bytes": bytes });
    let known = |token: &str, bytes: &[u8], top_logprobs| LogProb {
        token: token.to_owned(),
        logprob: -0.5,
        bytes: bytes.to_vec(),
        top_logprobs,
    };
    let alternatives = json!([{ "token": "Ho", "logprob": -2.0, "bytes": [72, 111] }, { "token": "x", "logprob": -9 }]);
    let hi = json!({ "token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": alternatives });
    let chunks = [
        scored(json!({ "role": "assistant", "content": "" }), json!(null)),
        scored(json!({ "reasoning": "hm" }), json!({ "content": [token("hm", json!(null))] })),
        scored(json!({ "content": "Hi" }), json!({ "content": [hi], "refusal": null })),
        // One character in two tokens: the first has no text yet.
        scored(json!({ "content": "" }), json!({ "content": [token("\\xc3", json!([195]))] })),
        scored(json!({ "content": "\u{fc}" }), json!({ "content": [token("\\xbc", json!([188]))] })),
        scored(json!({ "content": "!" }), json!({ "content": null, "refusal": [token("no", json!(null))] })),
        finish("stop"),
    ];
    let top =
        |token: &str, logprob, bytes: &[u8]| TopLogProb { token: token.to_owned(), logprob, bytes: bytes.to_vec() };
    let text = |text: &str, logprobs| ProviderEvent::Text { text: text.to_owned(), logprobs };
    let expected = |with: bool| {
        let given = |logprobs: Vec<LogProb>| if with { logprobs } else { Vec::new() };
        vec![
            reasoning("hm"),
            text("Hi", given(vec![known("Hi", b"Hi", vec![top("Ho", -2.0, b"Ho"), top("x", -9.0, b"")])])),
            text("\u{fc}", given(vec![known("\\xc3", &[195], vec![]), known("\\xbc", &[188], vec![])])),
            text("!", vec![]),
            stop(),
        ]
    };
    check(of_chunks(&chunks), (expected(true), Ok(())), "asked for");
    let unwanted = asking(Request { include: Vec::new(), ..wanting_everything() });
    check(of_chunks_for(&unwanted, &chunks), (expected(false), Ok(())), "not asked for");
}

#[test]
fn nonsense_breaks_the_protocol_after_what_came_before_it() {
    for (chunk, what) in [
        ("nonsense", "a chunk has not the form of one"),
        ("[]", "a chunk has not the form of one"),
        ("{\"choices\":[{\"index\":4294967296}]}", "more than one choice"),
        ("{\"choices\":[[0,{\"content\":\"x\"}]]}", "a chunk has not the form of one"),
        ("{\"choices\":[{\"delta\":{\"content\":7}}]}", "a chunk has not the form of one"),
        ("{\"choices\":[{\"delta\":{\"tool_calls\":[[\"x\"]]}}]}", "a chunk has not the form of one"),
        ("{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}", "more than one choice"),
        ("{\"choices\":[{\"delta\":[\"x\"]}]}", "a chunk has not the form of one"),
        ("[DONE]", "an end mark without a reason to finish"),
    ] {
        let stream = format!("data: {}\n\ndata: {chunk}\n\n", delta(json!({ "content": "Hi" })));
        assert_eq!(decode([stream.as_bytes()]), (vec![text("Hi")], Err(protocol(what))), "{chunk}");
    }
}

#[test]
fn an_end_is_good_only_after_the_reason_to_finish() {
    let hi = format!("data: {}\n\n", delta(json!({ "content": "Hi" })));
    let stopped = format!("{hi}data: {}", finish("stop"));
    for (stream, events, result) in [
        (String::new(), vec![], Err(Error::Closed)),
        (": waiting\n\n".to_owned(), vec![], Err(Error::Empty { what: "the answer is no event stream" })),
        ("<html>\n\n</html>".to_owned(), vec![], Err(Error::Empty { what: "the answer is no event stream" })),
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

#[test]
fn a_chunk_of_too_many_values_is_not_read_and_what_is_not_known_is_not_counted() {
    let many = json!(vec![0; 300_000]);
    let what = "an event holds more values than limits.provider_event_values";
    let with = |place: &str| {
        let choice = json!({ "delta": { "content": "Hi" }, "message": {}, "finish_reason": "stop" });
        let mut chunk = json!({ "choices": [choice] });
        *chunk.pointer_mut(place).unwrap() = json!({ "x": many });
        chunk
    };
    for place in ["/choices/0/delta", "/choices/0/message", "/choices/0"] {
        assert_eq!(of_chunks(&[with(place)]), (vec![], Err(protocol(what))), "{place}");
        let document = with(place).to_string();
        assert_eq!(decode([document.as_bytes()]), (vec![], Err(protocol(what))), "{place}");
    }
    let mut echo = delta(json!({ "content": "Hi" }));
    echo["prompt_token_ids"] = many.clone();
    assert_eq!(of_chunks(&[echo.clone(), finish("stop")]), (vec![text("Hi"), stop()], Ok(())));
    echo["choices"][0]["finish_reason"] = json!("stop");
    assert_eq!(decode([echo.to_string().as_bytes()]), (vec![text("Hi"), stop()], Ok(())));
    let error = json!({ "error": { "code": 503 }, "x": many });
    assert_eq!(of_chunks(&[error]), (vec![], Err(Error::Reported(Report::Overloaded))));
}
