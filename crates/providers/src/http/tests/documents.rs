//! Documents where a stream should be, and errors within one: the same for every protocol, over sockets.

use antiphon::testkit::{Script, ScriptedProvider};
use antiphon_domain::{Cause, Prompt, Request, Target};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::{
    Anthropic, ChatCompletions, Error, Provider, ProviderEvent, ProviderRequest, Report, Responses, UpstreamOptions,
};

const KEY: &str = "our-own-key-1234";
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn dialects(server: &ScriptedProvider) -> [Box<dyn Provider>; 3] {
    let options = || UpstreamOptions { api_key: Some(KEY.into()), ..UpstreamOptions::new(server.base_url()) };
    [
        Box::new(ChatCompletions::new(options()).unwrap()),
        Box::new(Anthropic::new(options()).unwrap()),
        Box::new(Responses::new(options()).unwrap()),
    ]
}

/// What comes out of an answer in each protocol. Something always does, and it is never a success.
async fn each_hears(script: impl Fn() -> Script) -> Vec<Error> {
    let mut heard = Vec::new();
    for dialect in 0..3 {
        let server = ScriptedProvider::start();
        server.script("m", script());
        let provider = dialects(&server).into_iter().nth(dialect).unwrap();
        let prompt = Prompt { instructions: None, items: Vec::new() };
        let request = ProviderRequest::new(Target::new("p", "m"), Request::new("model", 100), prompt);
        let mut batches = provider.open(request);
        let error = loop {
            match batches.next().await.unwrap() {
                Ok(events) => {
                    assert!(!events.iter().any(|event| matches!(event, ProviderEvent::Finished(_))), "{provider:?}");
                }
                Err(error) => break error,
            }
        };
        assert_eq!(batches.next().await, None);
        heard.push(error);
    }
    heard
}

#[tokio::test]
async fn an_error_is_seen_as_one_with_every_status_and_at_every_place() {
    let limited = json!({ "type": "error", "error": { "message": "m", "type": "rate_limit_error" } }).to_string();
    let in_stream = format!("event: error\ndata: {limited}\n\n");
    let scripts: [&dyn Fn() -> Script; 5] = [
        &|| Script::status(429, &JSON, &limited),
        &|| Script::status(400, &JSON, &limited),
        &|| Script::status(200, &JSON, &limited),
        &|| Script::new().raw(in_stream.clone()),
        &|| Script::new().raw(format!(": comment\n\n{in_stream}data: [DONE]\n\n")),
    ];
    for script in scripts {
        for error in each_hears(script).await {
            assert_eq!(error.cause(), Cause::ProviderRateLimited, "{error:?}");
        }
    }
}

#[tokio::test]
async fn what_can_not_be_read_is_neither_an_answer_nor_an_error_of_the_providers() {
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "{\"choices\":[]}",
        "{\"error\":null}",
        "{\"code\":0,\"message\":\"\"}",
        "<html>",
        "{\"err",
    ] {
        for error in each_hears(|| Script::status(200, &JSON, body)).await {
            assert_eq!(error.cause(), Cause::ProviderProtocolError, "{body}");
        }
    }
    for data in ["nonsense", "[1]", "\"error\""] {
        for error in each_hears(|| Script::new().raw(format!("data: {data}\n\n"))).await {
            assert_eq!(error.cause(), Cause::ProviderProtocolError, "{data}");
        }
    }
}

#[tokio::test]
async fn a_refusal_has_the_providers_words_and_never_the_key() {
    let words = format!("No tool is called {KEY}.");
    let told = json!({ "type": "error", "error": { "message": words, "type": "invalid_request_error", "code": KEY, "param": KEY } });
    let told = told.to_string();
    let scripts: [&dyn Fn() -> Script; 3] =
        [&|| Script::status(400, &JSON, &told), &|| Script::status(200, &JSON, &told), &|| {
            Script::new().raw(format!("event: error\ndata: {told}\n\n"))
        }];
    for script in scripts {
        for error in each_hears(script).await {
            let (Error::Status { report, .. } | Error::Reported(report)) = &error else { unreachable!("{error:?}") };
            let Report::RequestRejected(rejection) = report else { unreachable!("{error:?}") };
            assert_eq!(rejection.message.as_deref(), Some("No tool is called [key]."));
            assert_eq!((rejection.param.as_deref(), rejection.code.as_deref()), (Some("[key]"), Some("[key]")));
            assert_eq!(rejection.status, 400);
        }
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_a_long_request_keeps_its_reason() {
    let body = json!({ "detail": [{ "input": "x".repeat(490_000), "type": "too_long" }],
        "error": { "message": "This model's maximum context length is 4096 tokens", "code": 400 } });
    for error in each_hears(|| Script::status(422, &JSON, &body.to_string())).await {
        assert_eq!(error.failure().cause, Cause::ContextLengthExceeded);
    }
}
