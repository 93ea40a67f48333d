//! Logs of every release, and the streams that they fold to: for ever the same.
//!
//! A log is a file `NAME.facts` (a segment as it is before it is encrypted, in hexadecimal), its stream the
//! file `NAME.sse` beside it. Files are never changed. `ANTIPHON_WRITE_GOLDEN=1` writes those of the scenarios
//! below that are not there yet.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use antiphon::{
    domain::{Attempt, Cause, Fact, FinishReason, Frame, Request, Timestamp, Transcript},
    journal::{decode, encode},
    protocol::{Extra, LogProb, ResponseId, TopLogProb, Truncation, Usage},
};
use serde_json::json;

const RELEASE: &str = "0.1.0";
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
        metadata: BTreeMap::from([("purpose".into(), "gold".into())]),
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

fn text(attempt: Attempt, text: &str) -> Fact {
    Fact::TextArrived { attempt, text: text.into(), upstream_sequence: None }
}

fn ended() -> Fact {
    Fact::Ended { at: Timestamp::from_micros(AT.as_micros() + 2_500_000) }
}

fn usage(attempt: Attempt) -> Fact {
    let usage = Usage { input_tokens: 11, output_tokens: 5, total_tokens: 16, ..Usage::default() };
    Fact::UsageReported { attempt, usage }
}

fn finished(attempt: Attempt, reason: FinishReason) -> Fact {
    Fact::ProviderFinished { attempt, reason }
}

fn opened() -> Fact {
    Fact::AttemptOpened { attempt: FIRST, provider_response_id: Some("chatcmpl-1".into()) }
}

fn failed(attempt: Attempt, cause: Cause) -> Fact {
    Fact::ProviderFailed { attempt, cause }
}

fn thought(text: &str) -> Fact {
    Fact::ReasoningArrived { attempt: FIRST, text: text.into(), upstream_sequence: Some(7) }
}

fn refusal(text: &str) -> Fact {
    Fact::RefusalArrived { attempt: FIRST, text: text.into(), upstream_sequence: None }
}

fn call() -> Fact {
    Fact::CallStarted { attempt: FIRST, call: 0, call_id: "call_1".into(), name: "weather".into() }
}

fn piece(text: &str) -> Fact {
    Fact::ArgumentsArrived { attempt: FIRST, call: 0, text: text.into(), upstream_sequence: None }
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

fn fields(json: serde_json::Value) -> Extra {
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
    let second =
        |text: &str| Fact::ArgumentsArrived { attempt: FIRST, call: 1, text: text.into(), upstream_sequence: None };
    vec![
        call(),
        piece("{\"city\":"),
        Fact::CallStarted { attempt: FIRST, call: 1, call_id: "call_2".into(), name: "time".into() },
        second("{}"),
        piece("\"Oslo\"}"),
        Fact::CallFinished { attempt: FIRST, call: 0, extra: fields(json!({ "namespace": "world" })) },
        finished(FIRST, FinishReason::ToolCalls),
        usage(FIRST),
        ended(),
    ]
}

fn thought_and_scored() -> Vec<Fact> {
    let summary =
        |part, text: &str| Fact::SummaryArrived { attempt: FIRST, part, text: text.into(), upstream_sequence: Some(3) };
    let top_logprobs = vec![TopLogProb { token: "Yo".into(), logprob: -1.5, bytes: b"Yo".to_vec() }];
    let logprob = LogProb { token: "Hi".into(), logprob: -0.25, bytes: b"Hi".to_vec(), top_logprobs };
    vec![
        summary(0, "Be "),
        summary(0, "polite."),
        summary(1, "Be brief."),
        Fact::ReasoningSealed { attempt: FIRST, encrypted_content: "c2VhbGVk".into() },
        Fact::SpeechFinished { attempt: FIRST, extra: Extra::new() },
        Fact::ScoredTextArrived {
            attempt: FIRST,
            text: "Hi".into(),
            logprobs: vec![logprob],
            upstream_sequence: Some(9),
        },
        Fact::AnnotationArrived {
            attempt: FIRST,
            annotation: fields(json!({ "type": "url_citation", "url": "https://a.example/", "title": "A" })),
            upstream_sequence: None,
        },
        Fact::PartFinished { attempt: FIRST },
        text(FIRST, "Bye"),
        Fact::SpeechFinished { attempt: FIRST, extra: fields(json!({ "phase": "final_answer" })) },
        finished(FIRST, FinishReason::Stop),
        ended(),
    ]
}

fn item_of_another_kind() -> Vec<Fact> {
    let fields = |json| fields(json);
    let query = json!({ "type": "search", "query": "weather" });
    vec![
        Fact::OtherStarted {
            attempt: FIRST,
            item: 0,
            fields: fields(json!({ "type": "web_search_call", "id": "ws_1", "status": "in_progress" })),
        },
        Fact::OtherReported {
            attempt: FIRST,
            item: 0,
            event: "response.web_search_call.searching".into(),
            fields: fields(json!({ "item_id": "ws_1", "output_index": 0 })),
        },
        Fact::OtherFinished {
            attempt: FIRST,
            item: 0,
            fields: fields(json!({ "type": "web_search_call", "status": "completed", "action": query })),
        },
        Fact::OtherStarted { attempt: FIRST, item: 1, fields: fields(json!({ "type": "acme:dream", "status": "" })) },
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
    for (name, facts) in scenarios() {
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
    assert!(logs >= scenarios().len(), "only {logs} golden logs");
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
