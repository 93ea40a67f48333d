//! Logs of every release, and the streams that they fold to: for ever the same.
//!
//! A log is a file `NAME.facts` (a segment as it is before it is encrypted, in hexadecimal), its stream the
//! file `NAME.sse` beside it. Files are never changed. `ANTIPHON_WRITE_GOLDEN=1` writes those of the scenarios
//! below that are not there yet.

use std::{fmt::Write as _, fs, path::PathBuf};

use antiphon::{
    domain::{
        Attempt, Cause, Fact, FinishReason, Frame, InputUsage, ProviderEvent, ProviderRejection, Request, Timestamp,
        Transcript,
    },
    journal::{decode, encode},
    protocol::{JsonObject, LogProb, ResponseId, TopLogProb, Truncation, Usage},
};
use serde_json::json;

/// The release that logs are written as now, and the one before its facts had their present form.
const RELEASE: &str = "0.2.0";
const BEFORE: &str = "0.1.0";
const AT: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);
const FIRST: Attempt = Attempt::FIRST;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn id() -> ResponseId {
    "resp_019aa1b2c3d47000800000000000f01d".parse().unwrap()
}

fn created() -> Fact {
    let request = Request {
        instructions: Some("Be brief.".into()),
        previous_response_id: Some("resp_019aa1b2c3d470008000000000000001".parse().unwrap()),
        metadata: [("purpose".into(), "gold".into())].into(),
        temperature: Some(0.25),
        truncation: Truncation::Auto,
        safety_identifier: Some("somebody".into()),
        ..Request::new("a-model", 512)
    };
    Fact::Accepted { id: id(), at: AT, request: Box::new(request) }
}

fn opening(attempt: Attempt) -> Fact {
    Fact::AttemptOpening { attempt, at: AT, provider: "p".into(), model: "m".into() }
}

/// What the provider said in its first attempt.
fn said(event: ProviderEvent) -> Fact {
    Fact::Provider { attempt: FIRST, event }
}

fn text(attempt: Attempt, text: &str) -> Fact {
    Fact::Provider { attempt, event: ProviderEvent::Text { text: text.into(), logprobs: Vec::new() } }
}

fn ended() -> Fact {
    Fact::Ended { at: Timestamp::from_micros(AT.as_micros() + 2_500_000) }
}

fn usage(attempt: Attempt) -> Fact {
    let usage = Usage { input_tokens: 11, output_tokens: 5, total_tokens: 16, ..Usage::default() };
    Fact::Provider { attempt, event: ProviderEvent::Usage(usage) }
}

fn finished(attempt: Attempt, reason: FinishReason) -> Fact {
    Fact::Provider { attempt, event: ProviderEvent::Finished(reason) }
}

fn opened() -> Fact {
    said(ProviderEvent::Opened { provider_response_id: Some("chatcmpl-1".into()) })
}

fn failed(attempt: Attempt, cause: Cause) -> Fact {
    Fact::ProviderFailed { attempt, cause }
}

fn thought(text: &str) -> Fact {
    said(ProviderEvent::Reasoning { text: text.into() })
}

fn refusal(text: &str) -> Fact {
    said(ProviderEvent::Refusal { text: text.into() })
}

fn call() -> Fact {
    said(ProviderEvent::FunctionCallStarted { call: 0, call_id: "call_1".into(), name: "weather".into() })
}

fn piece(text: &str) -> Fact {
    arguments(0, text)
}

fn arguments(call: u32, text: &str) -> Fact {
    said(ProviderEvent::FunctionCallArguments { call, text: text.into() })
}

/// What happened, without how it began.
fn scenarios() -> Vec<(&'static str, Vec<Fact>)> {
    let retry = Attempt { turn: 1, number: 2 };
    vec![
        (
            "completed",
            vec![
                opened(),
                text(FIRST, "Hel"),
                text(FIRST, "lo, \u{1F30D}"),
                finished(FIRST, FinishReason::Stop),
                usage(FIRST),
                ended(),
            ],
        ),
        ("cut_by_length", vec![text(FIRST, "One thing after"), finished(FIRST, FinishReason::Length), ended()]),
        ("cancelled", vec![text(FIRST, "Stop"), Fact::CancelRequested { at: AT }, ended()]),
        ("client_lost", vec![text(FIRST, "Anyone?"), Fact::ClientLost { at: AT }, ended()]),
        ("upstream_closed", vec![text(FIRST, "Half a "), failed(FIRST, Cause::UpstreamClosed), ended()]),
        ("node_lost_while_calling", vec![call(), piece("{\"city\":"), Fact::NodeLost { at: AT }, ended()]),
        (
            "thought_then_refused",
            vec![
                thought("Hm. "),
                thought("No."),
                refusal("I will not."),
                text(FIRST, "Sorry."),
                finished(FIRST, FinishReason::Stop),
                ended(),
            ],
        ),
        (
            "second_attempt",
            vec![
                failed(FIRST, Cause::ConnectTimeout),
                opening(retry),
                text(retry, "Late."),
                finished(retry, FinishReason::Stop),
                ended(),
            ],
        ),
        ("tool_answered", tool_answered()),
        ("two_calls_told_apart", two_calls()),
        ("thought_and_scored", thought_and_scored()),
        ("item_of_another_kind", item_of_another_kind()),
    ]
}

/// What logs of the release before could not say.
fn later_scenarios() -> Vec<(&'static str, Vec<Fact>)> {
    let input_usage = InputUsage { input_tokens: 900, ..InputUsage::default() };
    let counted = said(ProviderEvent::InputUsage(input_usage));
    let tier = said(ProviderEvent::ServiceTier { tier: "flex".into() });
    let rejection = ProviderRejection {
        message: Some("No such tool.".into()),
        param: Some("tools".into()),
        code: Some("invalid_value".into()),
        ..ProviderRejection::of_status(400)
    };
    let rejection = Box::new(rejection);
    let rejected = Fact::RequestRejected { attempt: FIRST, cause: Cause::ProviderRejected, rejection };
    vec![
        ("served_in_a_tier", vec![text(FIRST, "Hi."), tier, finished(FIRST, FinishReason::Stop), ended()]),
        ("input_counted", vec![opened(), counted, text(FIRST, "Half a "), Fact::NodeLost { at: AT }, ended()]),
        ("rejected_by_the_provider", vec![rejected, ended()]),
    ]
}

fn fields(json: serde_json::Value) -> JsonObject {
    serde_json::from_value(json).unwrap()
}

fn tool_answered() -> Vec<Fact> {
    let second = Attempt { turn: 2, number: 1 };
    vec![
        call(),
        piece("{\"city\":"),
        piece("\"Oslo\"}"),
        finished(FIRST, FinishReason::ToolCalls),
        usage(FIRST),
        Fact::ToolStarted { attempt: FIRST, call: 0 },
        Fact::ToolAnswered { attempt: FIRST, call: 0, output: "rain".into() },
        opening(second),
        text(second, "It rains."),
        finished(second, FinishReason::Stop),
        usage(second),
        ended(),
    ]
}

fn two_calls() -> Vec<Fact> {
    vec![
        call(),
        piece("{\"city\":"),
        said(ProviderEvent::FunctionCallStarted { call: 1, call_id: "call_2".into(), name: "time".into() }),
        arguments(1, "{}"),
        piece("\"Oslo\"}"),
        said(ProviderEvent::FunctionCallFinished { call: 0, extra: fields(json!({ "namespace": "world" })) }),
        finished(FIRST, FinishReason::ToolCalls),
        usage(FIRST),
        ended(),
    ]
}

fn thought_and_scored() -> Vec<Fact> {
    let summary = |part, text: &str| said(ProviderEvent::ReasoningSummary { part, text: text.into() });
    let top_logprobs = vec![TopLogProb { token: "Yo".into(), logprob: -1.5, bytes: b"Yo".to_vec() }];
    let logprob = LogProb { token: "Hi".into(), logprob: -0.25, bytes: b"Hi".to_vec(), top_logprobs };
    vec![
        summary(0, "Be "),
        summary(0, "polite."),
        summary(1, "Be brief."),
        said(ProviderEvent::EncryptedReasoning { encrypted_content: "c2VhbGVk".into() }),
        said(ProviderEvent::ItemFinished { extra: JsonObject::new() }),
        said(ProviderEvent::Text { text: "Hi".into(), logprobs: vec![logprob] }),
        said(ProviderEvent::Annotation {
            annotation: fields(json!({ "type": "url_citation", "url": "https://a.example/", "title": "A" })),
        }),
        said(ProviderEvent::ContentPartFinished),
        text(FIRST, "Bye"),
        said(ProviderEvent::ItemFinished { extra: fields(json!({ "phase": "final_answer" })) }),
        finished(FIRST, FinishReason::Stop),
        ended(),
    ]
}

fn item_of_another_kind() -> Vec<Fact> {
    let query = json!({ "type": "search", "query": "weather" });
    vec![
        said(ProviderEvent::OtherItemStarted {
            item: 0,
            fields: fields(json!({ "type": "web_search_call", "id": "ws_1", "status": "in_progress" })),
        }),
        said(ProviderEvent::OtherItemEvent {
            item: 0,
            event: "response.web_search_call.searching".into(),
            fields: fields(json!({ "item_id": "ws_1", "output_index": 0 })),
        }),
        said(ProviderEvent::OtherItemFinished {
            item: 0,
            fields: fields(json!({ "type": "web_search_call", "status": "completed", "action": query })),
        }),
        said(ProviderEvent::OtherItemStarted {
            item: 1,
            fields: fields(json!({ "type": "acme:dream", "status": "" })),
        }),
        finished(FIRST, FinishReason::Length),
        ended(),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.trim().chars().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn stream(facts: Vec<Fact>) -> String {
    let mut transcript = Transcript::new(id());
    let mut events = Vec::new();
    for fact in facts {
        transcript.apply(fact, &mut events);
    }
    events.iter().map(|event| String::from_utf8(Frame::encode(event).bytes.to_vec()).unwrap()).collect()
}

fn write_missing() {
    for (name, facts) in scenarios().into_iter().chain(later_scenarios()) {
        let file = folder().join(RELEASE).join(name);
        if !file.with_extension("facts").exists() {
            fs::create_dir_all(folder().join(RELEASE)).unwrap();
            let facts = [vec![created(), opening(FIRST)], facts].concat();
            let mut segment = Vec::new();
            facts.iter().for_each(|fact| encode(fact, &mut segment).unwrap());
            fs::write(file.with_extension("facts"), hex(&segment) + "\n").unwrap();
            fs::write(file.with_extension("sse"), stream(facts)).unwrap();
        }
    }
}

/// The segment of a golden log, and the stream that it folds to.
fn golden(release: &str, name: &str) -> (Vec<u8>, String) {
    let file = folder().join(release).join(name);
    let read = |extension| fs::read_to_string(file.with_extension(extension)).unwrap();
    (unhex(&read("facts")), read("sse"))
}

#[test]
fn logs_of_every_release_fold_to_the_same_bytes() {
    if std::env::var_os("ANTIPHON_WRITE_GOLDEN").is_some() {
        write_missing();
    }
    let mut logs = 0;
    for release in fs::read_dir(folder()).unwrap() {
        for file in fs::read_dir(release.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "facts") {
                let facts = decode(&unhex(&fs::read_to_string(&file).unwrap())).unwrap();
                let expected = fs::read_to_string(file.with_extension("sse")).unwrap();
                assert_eq!(stream(facts), expected, "{}", file.display());
                logs += 1;
            }
        }
    }
    assert!(logs >= 2 * scenarios().len() + later_scenarios().len(), "only {logs} golden logs");
}

/// What a response whose process was updated in the middle of it leaves behind.
#[test]
fn a_log_that_an_older_process_began_and_a_newer_one_ended_folds_to_the_same_bytes() {
    for (name, _) in scenarios() {
        let (segment, expected) = golden(BEFORE, name);
        let whole = decode(&segment).unwrap();
        let mut beginnings = 0;
        for end in 1..segment.len() {
            // An older segment that ends between two facts.
            let Ok(mut facts) = decode(&segment[..end]) else { continue };
            let mut rest = Vec::new();
            whole[facts.len()..].iter().for_each(|fact| encode(fact, &mut rest).unwrap());
            facts.extend(decode(&rest).unwrap());
            assert_eq!(stream(facts), expected, "{name}");
            beginnings += 1;
        }
        assert_eq!(beginnings, whole.len(), "{name}: every fact but the last one can be where the older process died");
    }
}

#[test]
fn the_same_scenario_folds_to_the_same_bytes_whatever_release_wrote_it() {
    for (name, _) in scenarios() {
        assert_eq!(golden(BEFORE, name).1, golden(RELEASE, name).1, "{name}");
    }
}

#[test]
fn a_segment_of_a_version_to_come_is_an_error() {
    assert!(decode(&[3]).is_err());
    assert!(decode(&[]).is_err());
}

#[test]
fn a_delta_costs_a_few_bytes_more_than_its_text() {
    let mut empty = Vec::new();
    encode(&text(FIRST, ""), &mut empty).unwrap();
    let mut full = Vec::new();
    encode(&text(FIRST, "a dozen char"), &mut full).unwrap();
    assert_eq!(full.len() - empty.len(), 12);
    assert!(empty.len() <= 8, "{} bytes beside the text", empty.len());
}
