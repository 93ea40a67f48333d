//! What clients are told of a request that a provider refuses.

use serde_json::{Value, json};

use super::fixture::{Answer, Api, create, request};
use crate::domain::ProviderRejection;
use crate::protocol::ResponseId;
use crate::provider::{Error, Report};

const SAID: &str = "Invalid schema: 'x' is not allowed.";

fn said(status: u16) -> Box<ProviderRejection> {
    let text = |text: &str| Some(text.to_owned());
    Box::new(ProviderRejection { status, message: text(SAID), param: text("tools"), code: text("invalid_tool") })
}

fn rejected(status: u16) -> Error {
    Error::Status { status, retry_after: None, report: Report::RequestRejected(said(status)) }
}

/// Code, message, type and parameter.
fn told(error: &Value) -> [&Value; 4] {
    ["code", "message", "type", "param"].map(|key| &error[key])
}

async fn refused(api: &Api, stream: bool, error: Error) -> Answer {
    let body = json!({ "model": "m", "input": "x", "stream": stream });
    api.played(create(body), |call| call.fail(error)).await
}

#[actix_web::test]
async fn a_request_that_its_provider_refuses_is_answered_in_the_providers_words() {
    let api = Api::new().await;
    for (status, expected) in [(400, 400), (404, 400), (413, 413), (422, 400)] {
        for stream in [false, true] {
            let answer = refused(&api, stream, rejected(status)).await;
            assert_eq!((answer.status.as_u16(), answer.header("x-should-retry")), (expected, "false"), "{status}");
            assert_eq!(told(&answer.json()["error"]), ["invalid_tool", SAID, "provider_rejected", "tools"]);
        }
    }
    let too_long = Error::Status { status: 413, retry_after: None, report: Report::ContextTooLong(said(400)) };
    let answer = refused(&api, false, too_long).await;
    assert_eq!(answer.error(), (400, Some("context_length_exceeded".into()), Some("tools".into())));
    assert_eq!(answer.json()["error"]["message"], SAID);
}

#[actix_web::test]
async fn a_refusal_without_words_is_the_requests_fault_all_the_same() {
    let api = Api::new().await;
    let report = Report::RequestRejected(Box::new(ProviderRejection::of_status(400)));
    let answer = refused(&api, false, Error::Status { status: 400, retry_after: None, report }).await;
    let message = "The model provider rejected the request.";
    assert_eq!(
        told(&answer.json()["error"]),
        ["invalid_prompt", message, "provider_rejected", "null"].map(value).each_ref()
    );
    assert_eq!(answer.status.as_u16(), 400);
    // Neither does a wrong key, nor an account without money, say anything of the request.
    for error in [
        Error::Status { status: 402, retry_after: None, report: Report::Other },
        Error::Status { status: 400, retry_after: None, report: Report::Unauthorized },
    ] {
        let answer = refused(&api, false, error).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (502, &json!("server_error")));
    }
}

fn value(text: &str) -> Value {
    if text == "null" { Value::Null } else { text.into() }
}

#[actix_web::test]
async fn a_refusal_is_read_again_as_it_was_told() {
    let api = Api::new().await;
    let answer = api.create(json!({ "model": "m", "input": "x", "background": true })).await;
    let id: ResponseId = answer.id();
    api.provider.asked().await.fail(rejected(422));
    api.wait_for(id, |phase| matches!(phase, crate::actors::ResponsePhase::Ended(_))).await;
    let read = api.get(&format!("/v1/responses/{id}")).await.json();
    assert_eq!(told(&read["error"]), ["invalid_tool", SAID, "provider_rejected", "tools"]);
    let replay = api.get(&format!("/v1/responses/{id}?stream=true")).await;
    assert!(replay.text.contains(SAID), "{}", replay.text);
}

#[actix_web::test]
async fn a_refusal_after_the_first_word_ends_the_stream_in_the_providers_words() {
    let api = Api::new().await;
    let mut body = request();
    body["stream"] = true.into();
    let (stream, call) = api.opened_stream(body).await;
    call.text("Hel");
    call.fail(Error::Reported(Report::RequestRejected(said(400))));
    drop(call);
    let answer = stream.rest().await;
    let (_, last) = answer.text.rsplit_once("event: response.failed\ndata: ").unwrap();
    let last: Value = serde_json::from_str(last.split('\n').next().unwrap()).unwrap();
    let response = &last["response"];
    assert_eq!(told(&response["error"]), ["invalid_tool", SAID, "provider_rejected", "tools"]);
    assert_eq!(response["output"][0]["content"][0]["text"], "Hel");
}
