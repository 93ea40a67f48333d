use serde_json::{Value, json};

use super::{completed, created, decode, done, finished, message, of, opened, speech_finished, text, text_delta};
use crate::{Error, ProviderEvent, Report};
use antiphon_domain::{FailureClass, FinishReason, ProviderRejection};
use antiphon_protocol::{InputTokensDetails, OutputTokensDetails, Usage};

fn ending(name: &str, response: Value) -> Value {
    json!({ "type": name, "response": response })
}

fn used() -> Value {
    json!({ "input_tokens": 10, "input_tokens_details": { "cached_tokens": 4, "cache_write_tokens": 1 },
        "output_tokens": 20, "output_tokens_details": { "reasoning_tokens": 5 }, "total_tokens": 30 })
}

fn usage() -> ProviderEvent {
    ProviderEvent::Usage(Usage {
        input_tokens: 10,
        input_tokens_details: InputTokensDetails { cached_tokens: 4, cache_write_tokens: 1 },
        output_tokens: 20,
        output_tokens_details: OutputTokensDetails { reasoning_tokens: 5 },
        total_tokens: 30,
    })
}

#[test]
fn every_ending_has_its_meaning() {
    let cut = |reason| json!({ "status": "incomplete", "incomplete_details": { "reason": reason } });
    let failed = |code| json!({ "status": "failed", "error": { "code": code, "message": "m" } });
    let other = Err(Error::Reported(Report::Other));
    let unclear = Err(Error::Protocol { what: "a status that contradicts the end of its response" });
    let code = "context_length_exceeded";
    let told =
        ProviderRejection { message: Some("m".into()), code: Some(code.into()), ..ProviderRejection::of_status(400) };
    let too_long = Err(Error::Reported(Report::ContextTooLong(Box::new(told))));
    let (complete, incomplete, fail) = ("response.completed", "response.incomplete", "response.failed");
    for (name, response, meaning) in [
        (complete, json!({}), Ok(FinishReason::Stop)),
        (incomplete, cut("max_output_tokens"), Ok(FinishReason::Length)),
        (incomplete, cut("content_filter"), Ok(FinishReason::ContentFilter)),
        (incomplete, cut("client_disconnected"), other.clone()),
        (incomplete, json!({}), other.clone()),
        (fail, failed("rate_limit_exceeded"), Err(Error::Reported(Report::RateLimited))),
        (fail, failed("server_error"), other.clone()),
        (fail, json!({ "status": "cancelled", "error": { "code": "slow_down" } }), other.clone()),
        (fail, json!({ "status": "completed" }), other.clone()),
        // An event that is better than what its response says is not believed.
        (complete, cut("max_output_tokens"), Ok(FinishReason::Length)),
        (complete, failed(code), too_long),
        (complete, json!({ "status": "cancelled" }), other.clone()),
        (complete, json!({ "status": "completed", "error": { "code": "server_error" } }), other.clone()),
        (complete, json!({ "error": "it broke" }), other),
        (complete, json!({ "incomplete_details": { "reason": "max_output_tokens" } }), Ok(FinishReason::Length)),
        (complete, json!({ "status": "expired" }), unclear.clone()),
        (complete, json!({ "status": "in_progress" }), unclear),
        (complete, json!({ "status": "COMPLETED", "error": {}, "incomplete_details": {} }), Ok(FinishReason::Stop)),
    ] {
        let mut with_usage = response.clone();
        with_usage["usage"] = used();
        let (events, result) = of(&[created(), text_delta(0, "Hi"), ending(name, with_usage)]);
        let reason = meaning.clone().into_iter().map(finished);
        let expected: Vec<_> = [opened(Some("resp_up")), text("Hi"), usage()].into_iter().chain(reason).collect();
        assert_eq!((events, result), (expected, meaning.map(|_| ())), "{name} {response}");
    }
}

#[test]
fn the_tier_is_the_one_that_the_ending_tells() {
    for (told, tier) in
        [(json!("flex"), Some("flex")), (Value::Null, None), (json!(7), None), (json!("x".repeat(65)), None)]
    {
        let completed = json!({ "status": "completed", "service_tier": told });
        let (events, result) = of(&[created(), text_delta(0, "Hi"), ending("response.completed", completed)]);
        let tier = tier.map(|tier| ProviderEvent::ServiceTier { tier: tier.to_owned() });
        let end = tier.into_iter().chain([finished(FinishReason::Stop)]);
        let expected: Vec<_> = [opened(Some("resp_up")), text("Hi")].into_iter().chain(end).collect();
        assert_eq!((events, result), (expected, Ok(())));
    }
}

#[test]
fn usage_may_be_null_absent_or_without_details() {
    let reported = |usage: Value| of(&[ending("response.completed", json!({ "output": [], "usage": usage }))]).0;
    let negative = json!({ "input_tokens": -3, "output_tokens": 4 });
    for nothing in [json!(null), json!({}), json!(7), json!({ "input_tokens": "many" }), negative] {
        assert_eq!(reported(nothing), [opened(None), finished(FinishReason::Stop)]);
    }
    let plain = Usage { input_tokens: 4, output_tokens: 3, total_tokens: 7, ..Usage::default() };
    let [_, ProviderEvent::Usage(found), _] = reported(json!({ "input_tokens": 4, "output_tokens": 3 }))[..] else {
        unreachable!()
    };
    assert_eq!(found, plain);
}

#[test]
fn a_response_that_comes_whole_is_read() {
    let response = |status: &str, more: Value| {
        let output = json!([message(&["Hi"])]);
        let mut response =
            json!({ "id": "resp_up", "object": "response", "status": status, "output": output, "error": null });
        response.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        decode([response
            .to_string()
            .replace('{', "{\n")
            .lines()
            .map(|line| format!("data: {line}\n"))
            .collect::<String>()
            .as_bytes()])
    };
    let hi =
        || vec![opened(Some("resp_up")), text("Hi"), ProviderEvent::ContentPartFinished, speech_finished(json!({}))];
    let said = |reason| [hi(), vec![usage(), finished(reason)]].concat();
    assert_eq!(response("completed", json!({ "usage": used() })), (said(FinishReason::Stop), Ok(())));
    let cut = json!({ "usage": used(), "incomplete_details": { "reason": "MAX_TOKENS" } });
    assert_eq!(response("incomplete", cut), (said(FinishReason::Length), Ok(())));
    let failed = json!({ "error": { "code": "rate_limit_exceeded", "message": "m" } });
    assert_eq!(response("failed", failed).1, Err(Error::Reported(Report::RateLimited)));
    assert_eq!(
        response("of the future", json!({})).1,
        Err(Error::Protocol { what: "a response that does not say how it ended" })
    );
    assert_eq!(response("in_progress", json!({})), (vec![opened(Some("resp_up"))], Err(Error::Closed)));
}

#[test]
fn an_answer_without_output_is_complete_only_if_none_was_counted() {
    let ended = |tokens: u64, thought: u64| {
        let usage = json!({ "input_tokens": 1, "output_tokens": tokens, "output_tokens_details": { "reasoning_tokens": thought } });
        of(&[created(), ending("response.completed", json!({ "usage": usage, "output": [] }))]).1
    };
    assert_eq!((ended(0, 0), ended(2, 0), ended(90, 88)), (Ok(()), Ok(()), Ok(())));
    assert_eq!(ended(90, 0), Err(Error::Empty { what: "output was counted" }));
    assert_eq!(Error::Empty { what: "" }.failure().class, FailureClass::NotAccepted);
}

#[test]
fn nothing_is_read_past_the_ending() {
    let stream = format!("data: {}\n\ndata: nonsense\n\n", completed(&json!([])));
    assert_eq!(decode([stream.as_bytes()]), (vec![opened(Some("resp_up")), finished(FinishReason::Stop)], Ok(())));
}

#[test]
fn an_end_is_good_only_after_an_ending() {
    let hi = format!("data: {}\n\ndata: {}\n\n", created(), text_delta(0, "Hi"));
    let said = || vec![opened(Some("resp_up")), text("Hi")];
    let protocol = |what| Err(Error::Protocol { what });
    for (stream, events, result) in [
        (String::new(), vec![], Err(Error::Closed)),
        (": waiting\n\n".to_owned(), vec![], Err(Error::Empty { what: "the answer is no event stream" })),
        (hi.clone(), said(), Err(Error::Closed)),
        (format!("{hi}data: {{\"type\":\"resp"), said(), Err(Error::Closed)),
        (format!("{hi}data: [DONE]\n\n"), said(), protocol("an end mark without an ending")),
        (format!("{hi}data: nonsense\n\n"), said(), protocol("an event has not the form of one")),
        (format!("{hi}data: []\n\n"), said(), protocol("an event has not the form of one")),
        (format!("{hi}data: {{\"choices\":[]}}\n\n"), said(), protocol("an event without a type")),
        (format!("{hi}data: {}", completed(&json!([]))), [said(), vec![finished(FinishReason::Stop)]].concat(), Ok(())),
    ] {
        assert_eq!(decode([stream.as_bytes()]), (events, result), "{stream}");
    }
    // A whole item is not a whole response.
    let (events, result) = of(&[created(), done(0, message(&["Hi"]))]);
    assert_eq!((events.last(), result), (Some(&speech_finished(json!({}))), Err(Error::Closed)));
}

#[test]
fn errors_in_mid_stream_are_seen_in_all_their_shapes() {
    let limited = || Report::RateLimited;
    for (error, report) in [
        (r#"{"type":"error","sequence_number":5,"code":"rate_limit_exceeded","message":"m","param":null}"#, limited()),
        (r#"{"type":"error","error":{"type":"x","code":"rate_limit_exceeded","message":"m"}}"#, limited()),
        (r#"{"type":"error","code":"rate_limit_exceeded","error":{"code":null,"message":"m"}}"#, limited()),
        (r#"{"type":"error","code":"server_error","error":{"code":"rate_limit_exceeded"}}"#, limited()),
        (r#"{"type":"response.error","error":{"code":"slow_down"}}"#, Report::Overloaded),
        (r#"{"error":{"type":"overloaded_error"}}"#, Report::Overloaded),
        (r#"{"error":"it broke"}"#, Report::Other),
        (r#"{"type":"error"}"#, Report::Other),
    ] {
        let stream = format!("data: {}\n\ndata: {}\n\ndata: {error}\n\n", created(), text_delta(0, "Hi"));
        let expected = (vec![opened(Some("resp_up")), text("Hi")], Err(Error::Reported(report)));
        assert_eq!(decode([stream.as_bytes()]), expected, "{error}");
    }
    // Before anything else it is no opening.
    assert_eq!(decode([&b"event: error\ndata: it broke\n\n"[..]]), (vec![], Err(Error::Reported(Report::Other))));
}

#[test]
fn a_whole_response_in_place_of_a_stream_is_the_answer() {
    let part = json!([{ "type": "output_text", "text": "Hi", "annotations": [] }]);
    let message = json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed", "content": part });
    let whole = |status: &str| json!({ "object": "response", "id": "resp_up", "status": status, "output": [message] });
    let (events, result) = decode([whole("completed").to_string().as_bytes()]);
    assert_eq!((events.first(), result), (Some(&opened(Some("resp_up"))), Ok(())));
    assert_eq!((events.get(1), events.last()), (Some(&text("Hi")), Some(&finished(FinishReason::Stop))));
    let (_, result) = decode([whole("in_progress").to_string().as_bytes()]);
    assert_eq!(result, Err(Error::Protocol { what: "an answer that is not finished" }));
    let (_, result) = decode([whole("COMPLETED").to_string().as_bytes()]);
    assert_eq!(result, Ok(()));
}
