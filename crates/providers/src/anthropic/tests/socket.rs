//! The adapter over real sockets.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::json;

use super::{asked, asking, begin, finish, plain, request, start, stop, written};
use crate::{Anthropic, Error, Provider, ProviderEvent, ProviderRequest, Report, UpstreamError, UpstreamOptions};
use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use antiphon_domain::{FinishReason, Request};

fn provider(at: &ScriptedProvider) -> Anthropic {
    Anthropic::new(UpstreamOptions { api_key: Some("sk-test".into()), ..UpstreamOptions::new(at.base_url()) }).unwrap()
}

fn question() -> ProviderRequest {
    ProviderRequest { request_id: "req_42".to_owned(), ..request(vec![asked("Why is the sky blue?")]) }
}

fn answer() -> Script {
    let hi = [start(0, json!({ "type": "text", "text": "Hi" })), stop(0), finish("end_turn")];
    Script::new().raw(written(&[&[begin()], &hi[..]].concat())).raw(written(&[json!({ "type": "message_stop" })]))
}

async fn hear(server: &ScriptedProvider) -> (Vec<ProviderEvent>, Option<Error>) {
    let mut batches = provider(server).open(question());
    let mut events = Vec::new();
    while let Some(batch) = batches.next().await {
        match batch {
            Ok(batch) => events.extend(batch),
            Err(error) => return (events, Some(error)),
        }
    }
    (events, None)
}

fn opened() -> ProviderEvent {
    ProviderEvent::Opened { provider_response_id: Some("msg_1".to_owned()) }
}

#[tokio::test]
async fn only_what_is_named_reaches_the_provider() {
    let server = ScriptedProvider::start();
    server.script("m", answer());
    let text = ProviderEvent::Text { text: "Hi".to_owned(), logprobs: Vec::new() };
    let finished = ProviderEvent::Finished(FinishReason::Stop);
    assert_eq!(hear(&server).await, (vec![opened(), text, ProviderEvent::ContentPartFinished, finished], None));
    let request = server.wait_for_request(1).await;
    assert_eq!(request.path, "/v1/messages");
    let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let fixed = ["accept", "anthropic-version", "content-length", "content-type", "host", "user-agent"];
    assert_eq!(names, [&fixed[..], &["x-api-key", "x-request-id"]].concat());
    assert_eq!(request.header("x-api-key"), Some("sk-test"));
    assert_eq!(request.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(request.body["messages"][0]["content"][0]["text"], "Why is the sky blue?");
}

#[tokio::test]
async fn opened_is_told_with_the_id_as_soon_as_the_message_begins() {
    let (server, gate) = (ScriptedProvider::start(), ScriptGate::new());
    let rest = [start(0, json!({ "type": "text", "text": "Hi" })), stop(0), finish("end_turn")];
    server.script("m", Script::new().raw(written(&[begin()])).pause_until(&gate).raw(written(&rest)));
    let mut batches = provider(&server).open(question());
    assert_eq!(batches.next().await, Some(Ok(vec![opened()])));
    gate.reached().await;
    gate.open();
    assert_eq!(batches.map(Result::unwrap).concat().await.len(), 3);
}

#[tokio::test]
async fn each_failure_has_its_error() {
    let json_type = [("content-type", "application/json")];
    let typed = |kind: &str| format!("{{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"m\"}}}}");
    let status = |status, report| Error::Status { status, retry_after: None, report };
    let limited = Error::Status { status: 429, retry_after: Some(Duration::from_secs(7)), report: Report::RateLimited };
    let begun = || Script::new().raw(written(&[begin()]));
    for (name, script, events, error) in [
        ("overloaded", Script::status(529, &json_type, &typed("overloaded_error")), 0, status(529, Report::Overloaded)),
        ("limited", Script::status(429, &[("retry-after", "7")], &typed("rate_limit_error")), 0, limited),
        (
            "unauthorized",
            Script::status(401, &json_type, &typed("authentication_error")),
            0,
            status(401, Report::Unauthorized),
        ),
        ("cut", begun().cut(), 1, Error::Closed),
        (
            "overloaded in mid-stream",
            begun().raw(format!("event: error\ndata: {}\n\n", typed("overloaded_error"))),
            1,
            Error::Reported(Report::Overloaded),
        ),
        ("a web page", Script::html_page(), 0, Error::Empty { what: "the answer is no event stream" }),
    ] {
        let server = ScriptedProvider::start();
        server.script("m", script);
        let (heard, failure) = hear(&server).await;
        assert_eq!((heard.len(), failure), (events, Some(error)), "{name}");
    }
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let server = ScriptedProvider::start();
    server.script("m", Script::new().raw(written(&[begin()])).stall());
    let mut batches = provider(&server).open(question());
    batches.next().await.unwrap().unwrap();
    drop(batches);
    tokio::time::timeout(Duration::from_secs(5), server.connection_closed(1)).await.unwrap();
}

#[tokio::test]
async fn what_the_protocol_has_no_form_for_is_not_sent() {
    let server = ScriptedProvider::start();
    server.script("m", answer());
    let mut batches =
        provider(&server).open(asking(Request { include: vec![Request::INCLUDE_LOGPROBS.to_owned()], ..plain() }));
    let error = batches.next().await.unwrap().unwrap_err();
    assert_eq!(error, Error::Protocol { what: "the request asks for what it does not have" });
    assert_eq!(batches.next().await, None);
    assert!(server.requests().is_empty());
}

#[test]
fn a_key_that_no_header_can_hold_is_refused() {
    let options = UpstreamOptions { api_key: Some("sk test".into()), ..UpstreamOptions::new("http://h/v1") };
    assert_eq!(Anthropic::new(options).map(|_| ()), Err(UpstreamError::InvalidApiKey));
    let options = UpstreamOptions { api_key: Some("canary".into()), ..UpstreamOptions::new("http://h/v1") };
    let shown = format!("{:?}", Anthropic::new(options).unwrap());
    assert!(shown.contains("http://h/v1/messages") && !shown.contains("canary"), "{shown}");
}
