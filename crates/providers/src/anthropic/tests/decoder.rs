use serde_json::{Value, json};

use super::{
    arguments, begin, begin_counted, decode, delta, finish, lost_after, of_blocks, silent_after, start, stop, tool_use,
    written,
};
use crate::seal::{Origin, Protocol, Sealed};
use crate::{Error, ProviderEvent, Report};
use antiphon_domain::{CallIndex, FinishReason, InputUsage, ProviderRejection};
use antiphon_protocol::{InputTokensDetails, JsonObject, OutputTokensDetails, Usage};

fn opened() -> ProviderEvent {
    ProviderEvent::Opened { provider_response_id: Some("msg_1".to_owned()) }
}

fn text(text: &str) -> ProviderEvent {
    ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new() }
}

fn reasoning(text: &str) -> ProviderEvent {
    ProviderEvent::Reasoning { text: text.to_owned() }
}

fn sealed(what: &Sealed) -> ProviderEvent {
    let origin = Origin::of(Protocol::Anthropic, &super::request(Vec::new()).target);
    ProviderEvent::EncryptedReasoning { encrypted_content: origin.seal(what).unwrap() }
}

fn signed(signature: &str) -> ProviderEvent {
    sealed(&Sealed::Signature { signature: signature.to_owned(), thinking: None })
}

fn spoken() -> ProviderEvent {
    ProviderEvent::ItemFinished { extra: JsonObject::new() }
}

fn called(call: CallIndex, id: &str) -> ProviderEvent {
    ProviderEvent::FunctionCallStarted { call, call_id: id.to_owned(), name: "f".to_owned() }
}

fn argued(call: CallIndex, text: &str) -> ProviderEvent {
    ProviderEvent::FunctionCallArguments { call, text: text.to_owned() }
}

fn whole(call: CallIndex) -> ProviderEvent {
    ProviderEvent::FunctionCallFinished { call, extra: JsonObject::new() }
}

fn finished(reason: FinishReason) -> ProviderEvent {
    ProviderEvent::Finished(reason)
}

fn object(value: Value) -> JsonObject {
    serde_json::from_value(value).unwrap()
}

/// The blocks alone, which all end well.
fn heard(events: &[Value]) -> Vec<ProviderEvent> {
    let (mut events, result) = of_blocks(events);
    assert_eq!(result, Ok(()));
    assert_eq!(events.pop(), Some(finished(FinishReason::Stop)));
    events
}

fn text_delta(index: u32, text: &str) -> Value {
    delta(index, json!({ "type": "text_delta", "text": text }))
}

#[test]
fn texts_are_parts_of_one_message_with_their_citations() {
    let citation = json!({ "type": "char_location", "cited_text": "sky", "document_index": 0 });
    let events = heard(&[
        start(0, json!({ "type": "text", "text": "" })),
        json!({ "type": "ping" }),
        text_delta(0, "Hel"),
        text_delta(0, ""),
        text_delta(0, "lo"),
        stop(0),
        start(1, json!({ "type": "text", "text": "The", "citations": [] })),
        delta(1, json!({ "type": "citations_delta", "citation": citation })),
        stop(1),
        start(2, json!({ "type": "text", "text": "" })),
        stop(2),
    ]);
    let note = ProviderEvent::Annotation { annotation: object(citation) };
    let part = ProviderEvent::ContentPartFinished;
    assert_eq!(events, [text("Hel"), text("lo"), part.clone(), text("The"), note, part]);
}

#[test]
fn a_thought_is_sealed_at_its_end_and_each_is_one_of_its_own() {
    let thinking = |thinking: &str| json!({ "type": "thinking", "thinking": thinking, "signature": "" });
    let sign = |index, signature: &str| delta(index, json!({ "type": "signature_delta", "signature": signature }));
    let events = heard(&[
        start(0, thinking("")),
        delta(0, json!({ "type": "thinking_delta", "thinking": "hm" })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "" })),
        sign(0, "c2ln"),
        stop(0),
        start(1, json!({ "type": "redacted_thinking", "data": "eHl6" })),
        stop(1),
        // A thought that is not shown has its signature all the same.
        start(2, thinking("")),
        sign(2, "bm9uZQ"),
        stop(2),
        start(3, thinking("so")),
        stop(3),
        start(4, json!({ "type": "text", "text": "Hi" })),
        stop(4),
        // Nothing at all closes nothing.
        start(5, thinking("")),
        stop(5),
        start(6, json!({ "type": "redacted_thinking", "data": "" })),
        stop(6),
    ]);
    let first = [reasoning("hm"), signed("c2ln"), spoken()];
    let hidden = [sealed(&Sealed::Redacted { data: "eHl6".to_owned() }), spoken(), signed("bm9uZQ"), spoken()];
    let rest = [reasoning("so"), spoken(), text("Hi"), ProviderEvent::ContentPartFinished];
    assert_eq!(events, [&first[..], &hidden, &rest].concat());
}

#[test]
fn a_call_is_whole_when_its_arguments_are() {
    let events = heard(&[
        start(0, tool_use("toolu_1", json!({}))),
        arguments(0, ""),
        arguments(0, "{\"a\":"),
        arguments(0, "1}"),
        stop(0),
        start(1, tool_use("toolu_2", json!({ "b": 2 }))),
        stop(1),
        start(2, tool_use("toolu_3", json!({ "ignored": true }))),
        arguments(2, "{}"),
        stop(2),
        start(3, tool_use("toolu_4", json!({}))),
        stop(3),
        start(4, json!({ "type": "text", "text": "Hi" })),
        stop(4),
    ]);
    let first = [called(0, "toolu_1"), argued(0, "{\"a\":"), argued(0, "1}"), whole(0)];
    let second =
        [called(1, "toolu_2"), argued(1, "{\"b\":2}"), whole(1), called(2, "toolu_3"), argued(2, "{}"), whole(2)];
    let third = [called(3, "toolu_4"), whole(3), text("Hi"), ProviderEvent::ContentPartFinished];
    assert_eq!(events, [&first[..], &second, &third].concat());
}

#[test]
fn a_call_that_a_limit_cut_is_not_said_to_be_whole() {
    let cut = |call: &[Value], reason| {
        let stream = [&[begin()], call, &[finish(reason)]].concat();
        let (events, result) = decode([written(&stream).as_bytes()]);
        assert_eq!(result, Ok(()));
        events
    };
    let in_arguments = [start(0, tool_use("1", json!({}))), arguments(0, "{\"a\":"), stop(0)];
    let before_them = [start(0, tool_use("1", json!({}))), stop(0)];
    let length = finished(FinishReason::Length);
    let tools = finished(FinishReason::ToolCalls);
    let broken = [opened(), called(0, "1"), argued(0, "{\"a\":")];
    assert_eq!(cut(&in_arguments, "max_tokens"), [&broken[..], std::slice::from_ref(&length)].concat());
    assert_eq!(cut(&in_arguments, "tool_use"), [&broken[..], std::slice::from_ref(&tools)].concat());
    assert_eq!(cut(&before_them, "max_tokens"), [opened(), called(0, "1"), length]);
    assert_eq!(cut(&before_them, "refusal"), [opened(), called(0, "1"), finished(FinishReason::ContentFilter)]);
    assert_eq!(cut(&before_them, "tool_use"), [opened(), called(0, "1"), whole(0), tools]);
}

#[test]
fn blocks_of_other_kinds_are_items_under_the_providers_name() {
    let search = json!({ "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {} });
    let found = json!({ "type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{ "url": "u" }] });
    let events = heard(&[
        start(0, search.clone()),
        arguments(0, "{\"query\":"),
        arguments(0, "\"sky\"}"),
        delta(0, json!({ "type": "of the future" })),
        stop(0),
        start(1, found.clone()),
        stop(1),
    ]);
    let named = |mut block: Value, kind: &str| {
        block["type"] = json!(kind);
        object(block)
    };
    let begun = named(search.clone(), "anthropic:server_tool_use");
    let mut ended = search.clone();
    ended["input"] = json!({ "query": "sky" });
    let ended = named(ended, "anthropic:server_tool_use");
    let result = named(found, "anthropic:web_search_tool_result");
    assert_eq!(
        events,
        [
            ProviderEvent::OtherItemStarted { item: 0, fields: begun },
            ProviderEvent::OtherItemFinished { item: 0, fields: ended },
            ProviderEvent::OtherItemStarted { item: 1, fields: result.clone() },
            ProviderEvent::OtherItemFinished { item: 1, fields: result },
        ]
    );
}

#[test]
fn every_reason_to_finish_has_its_meaning() {
    let not_known = || Err(Error::Protocol { what: "a reason to finish that is not known" });
    for (word, meaning) in [
        ("end_turn", Ok(FinishReason::Stop)),
        ("stop_sequence", Ok(FinishReason::Stop)),
        ("max_tokens", Ok(FinishReason::Length)),
        ("model_context_window_exceeded", Ok(FinishReason::Length)),
        ("tool_use", Ok(FinishReason::ToolCalls)),
        ("refusal", Ok(FinishReason::ContentFilter)),
        ("MAX_TOKENS", Ok(FinishReason::Length)),
        ("pause_turn", Err(Error::Reported(Report::Other))),
        ("of_the_future", not_known()),
        ("st\u{0}op", not_known()),
        (&"x".repeat(100_000), not_known()),
    ] {
        let hi = start(0, json!({ "type": "text", "text": "Hi" }));
        let (events, result) = decode([written(&[begin(), hi, stop(0), finish(word)]).as_bytes()]);
        let said = [opened(), text("Hi"), ProviderEvent::ContentPartFinished];
        let expected: Vec<_> =
            said.into_iter().chain(meaning.clone().into_iter().map(ProviderEvent::Finished)).collect();
        assert_eq!((events, result), (expected, meaning.map(|_| ())), "{word}");
    }
}

#[test]
fn the_latest_counts_are_the_usage_and_the_cache_is_part_of_the_input() {
    let counted = |usage: Value| json!({ "type": "message_delta", "delta": { "stop_reason": null }, "usage": usage });
    let all = json!({
        "input_tokens": 10, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 20,
        "output_tokens_details": { "thinking_tokens": 5 }, "server_tool_use": null,
    });
    let usage = |input, cached, written, output, thought| {
        ProviderEvent::Usage(Usage {
            input_tokens: input,
            input_tokens_details: InputTokensDetails { cached_tokens: cached, cache_write_tokens: written },
            output_tokens: output,
            output_tokens_details: OutputTokensDetails { reasoning_tokens: thought },
            total_tokens: input + output,
        })
    };
    for (reports, expected) in [
        // What the beginning says of the prompt is a fact at once; what it says of the output is not all.
        (vec![], vec![]),
        (vec![json!({ "output_tokens": 5 })], vec![usage(10, 3, 0, 5, 0)]),
        (vec![all], vec![usage(16, 4, 2, 20, 5)]),
        // A zero says nothing new.
        (
            vec![json!({ "input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 5 })],
            vec![usage(10, 3, 0, 5, 0)],
        ),
        (
            vec![json!({ "output_tokens": 5 }), json!({ "output_tokens": 5 }), json!({ "output_tokens": 6 })],
            vec![usage(10, 3, 0, 5, 0), usage(10, 3, 0, 6, 0)],
        ),
        (vec![Value::Null], vec![]),
    ] {
        let reports: Vec<Value> = reports.into_iter().map(counted).collect();
        let hi = start(0, json!({ "type": "text", "text": "Hi" }));
        let stream = [&[begin_counted(), hi, stop(0)], &reports[..], &[finish("end_turn")]].concat();
        let (events, result) = decode([written(&stream).as_bytes()]);
        assert_eq!(result, Ok(()));
        let begun = [opened(), counted_input(10, 3), text("Hi"), ProviderEvent::ContentPartFinished];
        assert_eq!(events, [&begun, &expected[..], &[finished(FinishReason::Stop)]].concat(), "{reports:?}");
    }
    // What is no count is not believed, and neither is more than there can be.
    let huge = json!({ "input_tokens": u64::MAX, "cache_read_input_tokens": u64::MAX, "output_tokens": u64::MAX });
    for nonsense in [huge, json!({ "output_tokens": -1 }), json!({ "output_tokens": "many" }), json!([]), json!(7)] {
        let (events, _) = decode([written(&[begin(), counted(nonsense.clone())]).as_bytes()]);
        assert_eq!(events, [opened()], "{nonsense}");
    }
}

#[test]
fn errors_in_mid_stream_are_told_by_their_type() {
    let typed = |kind: &str| {
        format!("event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"m\"}}}}\n\n")
    };
    let m = ProviderRejection { message: Some("m".into()), ..ProviderRejection::of_status(400) };
    for (error, report) in [
        (typed("overloaded_error"), Report::Overloaded),
        (typed("rate_limit_error"), Report::RateLimited),
        (typed("timeout_error"), Report::Overloaded),
        (typed("authentication_error"), Report::Unauthorized),
        (typed("invalid_request_error"), Report::RequestRejected(Box::new(m))),
        (typed("api_error"), Report::Other),
        (typed("of the future"), Report::Other),
        ("data: {\"type\":\"error\"}\n\n".to_owned(), Report::Other),
        ("event: error\ndata: it broke\n\n".to_owned(), Report::Other),
        ("data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}".to_owned(), Report::Overloaded),
    ] {
        let hi = [begin(), start(0, json!({ "type": "text", "text": "Hi" }))];
        let stream = format!("{}{error}", written(&hi));
        assert_eq!(
            decode([stream.as_bytes()]),
            (vec![opened(), text("Hi")], Err(Error::Reported(report.clone()))),
            "{error}"
        );
        assert_eq!(decode([error.as_bytes()]), (vec![], Err(Error::Reported(report))), "{error}");
    }
}

#[test]
fn an_end_is_good_only_after_the_reason_to_finish() {
    let hi = written(&[begin(), start(0, json!({ "type": "text", "text": "Hi" }))]);
    let stopped = format!("{hi}{}", written(&[stop(0), finish("end_turn")]));
    let said = vec![opened(), text("Hi")];
    let all = vec![opened(), text("Hi"), ProviderEvent::ContentPartFinished, finished(FinishReason::Stop)];
    let mark = "event: message_stop\ndata: {\"type\":\"message_stop\"}";
    let no_stream = Error::Empty { what: "the answer is no event stream" };
    let early = Error::Protocol { what: "an end mark without a reason to finish" };
    for (stream, events, result) in [
        (String::new(), vec![], Err(Error::Closed)),
        ("<html>\n\n</html>".to_owned(), vec![], Err(no_stream)),
        (hi.clone(), said.clone(), Err(Error::Closed)),
        (format!("{hi}data: {{\"type\":\"content_bl"), said.clone(), Err(Error::Closed)),
        (format!("{hi}{mark}\n\n"), said, Err(early)),
        (stopped.clone(), all.clone(), Ok(())),
        (stopped.trim_end().to_owned(), all.clone(), Ok(())),
        (format!("{stopped}{mark}"), all.clone(), Ok(())),
        (format!("{stopped}{mark}\n\ndata: nonsense\n\n"), all.clone(), Ok(())),
        (format!("{stopped}data: {{\"typ"), all, Ok(())),
    ] {
        assert_eq!(decode([stream.as_bytes()]), (events, result), "{stream}");
    }
}

/// What an answer of these events says, without its opening, and how it ends.
fn said(events: &[Value]) -> (Vec<ProviderEvent>, Result<(), Error>) {
    let (events, result) = decode([written(&[&[begin()], events].concat()).as_bytes()]);
    (events.into_iter().skip(1).collect(), result)
}

#[test]
fn what_comes_behind_the_reason_to_finish_is_a_part_of_the_answer() {
    let part = || ProviderEvent::ContentPartFinished;
    let hel = || [start(0, json!({ "type": "text", "text": "Hel" })), stop(0), finish("end_turn")];
    let lo = || [start(1, json!({ "type": "text", "text": "" })), text_delta(1, "lo"), stop(1)];
    let end = || [json!({ "type": "message_stop" })];
    let both = vec![text("Hel"), part(), text("lo"), part(), finished(FinishReason::Stop)];
    assert_eq!(said(&[&hel()[..], &lo(), &end()].concat()), (both.clone(), Ok(())));
    // The end mark is missing.
    assert_eq!(said(&[&hel()[..], &lo()].concat()), (both, Ok(())));
    let call = [start(1, tool_use("1", json!({}))), arguments(1, "{}")];
    let called = [text("Hel"), part(), called(0, "1"), argued(0, "{}"), whole(0), finished(FinishReason::Stop)];
    assert_eq!(said(&[&hel()[..], &call, &end()].concat()), (called.to_vec(), Ok(())));
    for (late, failure) in [
        (json!({ "type": "error", "error": { "type": "overloaded_error" } }), Error::Reported(Report::Overloaded)),
        (json!([]), Error::Protocol { what: "an event has not the form of one" }),
    ] {
        let failed = (vec![text("Hel"), part()], Err(failure));
        assert_eq!(said(&[&hel()[..], &[late]].concat()), failed);
    }
}

#[test]
fn output_behind_the_reason_to_finish_needs_an_end() {
    let hel = || vec![begin(), start(0, json!({ "type": "text", "text": "Hel" })), stop(0), finish("end_turn")];
    let half = || [hel(), vec![start(1, json!({ "type": "text", "text": "" })), text_delta(1, "l")]].concat();
    let whole = || [half(), vec![text_delta(1, "o"), stop(1)]].concat();
    let unstopped = || vec![begin(), start(0, json!({ "type": "text", "text": "Hel" })), finish("end_turn")];
    let (silence, closed) = (Err(Error::IdleTimeout), Err(Error::Closed));
    for (events, lost, silent, ended) in [
        (hel(), Ok(()), Ok(()), Ok(())),
        (half(), closed.clone(), silence.clone(), closed.clone()),
        (whole(), closed.clone(), silence.clone(), Ok(())),
        (unstopped(), closed, silence, Ok(())),
    ] {
        let stream = written(&events);
        assert_eq!(lost_after(&stream).1, lost, "{stream}");
        assert_eq!(silent_after(&stream).1, silent, "{stream}");
        assert_eq!(decode([stream.as_bytes()]).1, ended, "{stream}");
        let marked = format!("{stream}data: {{\"type\":\"message_stop\"}}");
        assert_eq!(lost_after(&marked).1, Ok(()), "{stream}");
    }
}

#[test]
fn an_answer_without_output_is_complete_only_if_none_was_counted() {
    let ended = |reason: &str, tokens: Value| {
        let mut finish = finish(reason);
        finish["usage"] = json!({ "output_tokens": tokens });
        said(&[finish, json!({ "type": "message_stop" })]).1
    };
    let missing = || Err(Error::Empty { what: "output was counted" });
    for (reason, tokens, result) in [
        ("end_turn", json!(null), Ok(())),
        ("end_turn", json!(0), Ok(())),
        // Models count their end mark.
        ("end_turn", json!(3), Ok(())),
        ("end_turn", json!(4), missing()),
        ("max_tokens", json!(900), Ok(())),
        ("refusal", json!(4), Ok(())),
        ("tool_use", json!(40), missing()),
    ] {
        assert_eq!(ended(reason, tokens.clone()), result, "{reason} {tokens}");
    }
}

#[test]
fn a_message_that_comes_whole_is_read() {
    let content = json!([
        { "type": "thinking", "thinking": "hm", "signature": "c2ln" },
        { "type": "text", "text": "Hi" },
        { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "a": 1 } },
        { "type": "tool_use", "id": "toolu_2", "name": "f", "input": {} },
    ]);
    let usage = json!({ "input_tokens": 9, "output_tokens": 7 });
    let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "content": content,
        "stop_reason": "tool_use", "usage": usage });
    let counts = Usage { input_tokens: 9, output_tokens: 7, total_tokens: 16, ..Usage::default() };
    let thought = [opened(), counted_input(9, 0), reasoning("hm"), signed("c2ln"), spoken()];
    let answer =
        [text("Hi"), ProviderEvent::ContentPartFinished, called(0, "toolu_1"), argued(0, "{\"a\":1}"), whole(0)];
    let end = [called(1, "toolu_2"), ProviderEvent::Usage(counts), whole(1), finished(FinishReason::ToolCalls)];
    let all = [&thought[..], &answer, &end].concat();
    let as_event = format!("data: {message}\n\n");
    for stream in [
        as_event.clone(),
        format!("{as_event}data: [DONE]\n\n"),
        written(&[message.clone(), json!({ "type": "message_stop" })]),
    ] {
        assert_eq!(decode([stream.as_bytes()]), (all.clone(), Ok(())), "{stream}");
    }
    let document = message.to_string();
    assert_eq!(decode(document.as_bytes().chunks(7)), (all, Ok(())), "as a document");
    let plain = json!({ "type": "message", "content": "Hi", "stop_reason": "max_tokens" });
    let said = [ProviderEvent::Opened { provider_response_id: None }, text("Hi"), ProviderEvent::ContentPartFinished];
    let cut = [&said[..], &[finished(FinishReason::Length)]].concat();
    assert_eq!(decode([written(&[plain]).as_bytes()]), (cut, Ok(())));
}

#[test]
fn blocks_that_alternate_or_have_no_end_keep_all_their_words() {
    let part = || ProviderEvent::ContentPartFinished;
    let plain = |index, text: &str| start(index, json!({ "type": "text", "text": text }));
    let thinking = || start(0, json!({ "type": "thinking", "thinking": "hm", "signature": "c2ln" }));
    let ending = [spoken(), signed("c2ln")];
    let [spoken, sealed] = ending;
    for (events, expected) in [
        // Without the end of a block.
        (vec![thinking(), plain(1, "Hi")], vec![reasoning("hm"), sealed, spoken, text("Hi"), part()]),
        // The same index again.
        (vec![plain(0, "Hel"), plain(0, "lo")], vec![text("Hel"), part(), text("lo"), part()]),
        // Texts that alternate.
        (
            vec![plain(0, "A"), plain(1, "B"), text_delta(0, "a"), text_delta(1, "b"), stop(0), stop(1)],
            vec![text("A"), part(), text("B"), part(), text("a"), part(), text("b"), part()],
        ),
        // Calls that alternate.
        (
            vec![
                start(0, tool_use("1", json!({}))),
                start(1, tool_use("2", json!({}))),
                arguments(0, "{\"a\":"),
                arguments(1, "{}"),
                arguments(0, "1}"),
                stop(0),
                stop(1),
            ],
            vec![
                called(0, "1"),
                called(1, "2"),
                argued(0, "{\"a\":"),
                argued(1, "{}"),
                argued(0, "1}"),
                whole(0),
                whole(1),
            ],
        ),
        // A block that did not begin, and one that goes on after its end.
        (vec![text_delta(0, "Hi")], vec![text("Hi"), part()]),
        (vec![plain(0, "Hel"), stop(0), text_delta(0, "lo")], vec![text("Hel"), part(), text("lo"), part()]),
        // A piece under another block's index.
        (vec![plain(0, "Hel"), text_delta(7, "lo")], vec![text("Hel"), text("lo"), part()]),
        // A call beside a text that goes on.
        (
            vec![plain(0, "A"), start(1, tool_use("1", json!({}))), text_delta(0, "a"), arguments(1, "{}"), stop(1)],
            vec![text("A"), part(), called(0, "1"), text("a"), argued(0, "{}"), whole(0), part()],
        ),
    ] {
        assert_eq!(heard(&events), expected, "{events:?}");
    }
}

#[test]
fn characters_that_are_cut_in_halves_are_joined() {
    let stream = [
        written(&[begin(), start(0, json!({ "type": "thinking", "thinking": "" }))]),
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"\ud83e"}}"#.to_owned() + "\n\n",
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"\udd80"}}"#.to_owned() + "\n\n",
        written(&[stop(0), start(1, tool_use("1", json!({})))]),
        r#"data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"\ud83e"}}"#.to_owned() + "\n\n",
        r#"data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\udd80\""}}"#.to_owned() + "\n\n",
        r#"data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":"\ud83e"}}"#.to_owned() + "\n\n",
        r#"data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"a\ud83e"}}"#.to_owned() + "\n\n",
        written(&[stop(2), finish("end_turn")]),
    ];
    let thought =
        [opened(), reasoning("\u{1f980}"), spoken(), called(0, "1"), argued(0, "\""), argued(0, "\u{1f980}\"")];
    let rest = [text("\u{fffd}"), text("a"), text("\u{fffd}"), ProviderEvent::ContentPartFinished, whole(0)];
    let expected = [&thought[..], &rest, &[finished(FinishReason::Stop)]].concat();
    assert_eq!(decode([stream.concat().as_bytes()]), (expected, Ok(())));
}

fn counted_input(input_tokens: u64, cached_tokens: u64) -> ProviderEvent {
    let input_tokens_details = InputTokensDetails { cached_tokens, cache_write_tokens: 0 };
    ProviderEvent::InputUsage(InputUsage { input_tokens, input_tokens_details })
}

const RECORDED: &str = "event: message_start\n\
    data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n\
    event: content_block_start\r\n\
    data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}}\r\n\r\n\
    event: ping\ndata: {\"type\": \"ping\"}\n\n\
    data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm \u{1f980}\"}}\n\n\
    data: {\"type\":\"content_block_delta\",\"index\":0,\ndata: \"delta\":{\"type\":\"signature_delta\",\"signature\":\"Zg==\"}}\n\n\
    data: {\"type\":\"content_block_stop\",\"index\":0}\r\r\
    data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
    data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Gr\u{fc}\u{df}\"}}\n\n\
    data: {\"type\":\"content_block_stop\",\"index\":1}\n\n\
    data: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}}\n\n\
    data: {\"type\":\"content_block_stop\",\"index\":2}\n\n\
    data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":7}}\n\n\
    event: message_stop\ndata: {\"type\":\"message_stop\"}";

#[test]
fn every_cut_of_a_stream_gives_the_same_events() {
    let bytes = RECORDED.as_bytes();
    let usage = Usage { input_tokens: 9, output_tokens: 7, total_tokens: 16, ..Usage::default() };
    let events = [
        &[opened(), counted_input(9, 0), reasoning("hm \u{1f980}"), signed("Zg=="), spoken()][..],
        &[text("Gr\u{fc}\u{df}"), ProviderEvent::ContentPartFinished, called(0, "t")],
        &[ProviderEvent::Usage(usage), whole(0), finished(FinishReason::ToolCalls)],
    ];
    let expected = (events.concat(), Ok(()));
    assert_eq!(decode([bytes]), expected);
    assert_eq!(decode(bytes.chunks(1)), expected);
    for at in 0..=bytes.len() {
        assert_eq!(decode([&bytes[..at], &bytes[at..]]), expected, "cut at {at}");
    }
}
