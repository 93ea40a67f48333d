//! What clients get wrong: each answer is the envelope with a request id, and leaves no row behind.

use antiphon::testkit::{Script, ScriptedProvider};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Site, count};

const UNKNOWN: &str = "resp_00000000000000000000000000000000";

fn provider() -> ScriptedProvider {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    provider
}

async fn post(client: &Client, body: impl Into<String>) -> Answer {
    let request = client.request(Method::POST, "/v1/responses").header("content-type", "application/json");
    Answer::of(request.body(body.into())).await
}

fn with(changes: Value) -> String {
    let mut body = json!({ "model": "m", "input": "Hi." });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body.to_string()
}

/// A status and a code.
type Expected = (u16, Option<&'static str>);

/// A change of a good request, the answer's status and code, and the parameter that it names.
fn cases() -> Vec<(Value, Expected, &'static str)> {
    let invalid = (400, None);
    let unsupported = (400, Some("unsupported_parameter"));
    let missing = (400, Some("missing_required_parameter"));
    vec![
        (json!({ "model": 5 }), invalid, "model"),
        (json!({ "model": null }), missing, "model"),
        (json!({ "input": null }), missing, "input"),
        (json!({ "model": "none" }), (404, Some("model_not_found")), "model"),
        (json!({ "model": "none", "stream": true }), (404, Some("model_not_found")), "model"),
        (json!({ "input": 5 }), invalid, "input"),
        (json!({ "input": [{ "role": "user", "content": 5 }] }), invalid, "input[0].content"),
        (json!({ "instructions": 5 }), invalid, "instructions"),
        (json!({ "temperature": "hot" }), invalid, "temperature"),
        (json!({ "temperature": 2.01 }), invalid, "temperature"),
        (json!({ "top_p": -0.01 }), invalid, "top_p"),
        (json!({ "metadata": ["a"] }), invalid, "metadata"),
        (json!({ "metadata": { "a": 1 } }), invalid, "metadata.a"),
        (json!({ "stream": "yes" }), invalid, "stream"),
        (json!({ "store": 1 }), invalid, "store"),
        (json!({ "stream_options": { "include_obfuscation": true } }), invalid, "stream_options"),
        (json!({ "truncation": "middle" }), invalid, "truncation"),
        (json!({ "background": true, "store": false }), unsupported, "background"),
        (json!({ "background": "yes" }), invalid, "background"),
        (json!({ "previous_response_id": 5 }), invalid, "previous_response_id"),
        (json!({ "previous_response_id": "msg_1" }), invalid, "previous_response_id"),
        (
            json!({ "previous_response_id": UNKNOWN }),
            (400, Some("previous_response_not_found")),
            "previous_response_id",
        ),
        (
            json!({ "previous_response_id": "resp_1" }),
            (400, Some("previous_response_not_found")),
            "previous_response_id",
        ),
    ]
}

/// The same for tools, the form of the answer, and items that belong together.
fn cases_of_tools() -> Vec<(Value, Expected, &'static str)> {
    let invalid = (400, None);
    let unsupported = (400, Some("unsupported_parameter"));
    let missing = (400, Some("missing_required_parameter"));
    let too_large = (413, Some("request_too_large"));
    let f = json!([{ "type": "function", "name": "f" }]);
    let call = json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" });
    let output = json!({ "type": "function_call_output", "call_id": "c", "output": "o" });
    let many: Value = (0..129).map(|n| json!({ "type": "function", "name": format!("f{n}") })).collect();
    let long = "d".repeat(600_000);
    vec![
        (json!({ "tools": { "type": "function" } }), invalid, "tools"),
        (json!({ "tools": [{ "type": "web_search" }] }), unsupported, "tools[0].type"),
        (json!({ "tools": [{ "type": "teleport" }] }), invalid, "tools[0].type"),
        (json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] }), missing, "tools[0].name"),
        (json!({ "tools": [{ "type": "function", "name": "no spaces" }] }), invalid, "tools[0].name"),
        (json!({ "tools": [f[0], f[0]] }), invalid, "tools[1].name"),
        (json!({ "tools": many }), invalid, "tools"),
        (json!({ "tools": [{ "type": "function", "name": "f", "description": long }] }), too_large, "tools"),
        (json!({ "tool_choice": "required" }), invalid, "tool_choice"),
        (json!({ "tool_choice": { "type": "function", "name": "f" } }), invalid, "tool_choice"),
        (json!({ "tools": f, "tool_choice": { "type": "function", "name": "g" } }), invalid, "tool_choice.name"),
        (json!({ "tools": f, "tool_choice": { "type": "mcp" } }), unsupported, "tool_choice.type"),
        (json!({ "parallel_tool_calls": "no" }), invalid, "parallel_tool_calls"),
        (json!({ "max_tool_calls": 0 }), invalid, "max_tool_calls"),
        (json!({ "max_tool_calls": 1.5 }), invalid, "max_tool_calls"),
        (json!({ "text": { "format": { "type": "yaml" } } }), invalid, "text.format.type"),
        (json!({ "text": { "format": { "type": "json_schema", "name": "n" } } }), missing, "text.format.schema"),
        (json!({ "text": { "verbosity": "chatty" } }), invalid, "text.verbosity"),
        (json!({ "text": [] }), invalid, "text"),
        (json!({ "reasoning": { "effort": "very hard" } }), invalid, "reasoning.effort"),
        (json!({ "reasoning": [] }), invalid, "reasoning"),
        (json!({ "top_logprobs": 21 }), invalid, "top_logprobs"),
        (json!({ "include": ["nothing"] }), invalid, "include"),
        (json!({ "input": [call] }), invalid, "input"),
        (json!({ "input": [output] }), invalid, "input"),
        (json!({ "input": [call, output, output] }), invalid, "input"),
        (json!({ "conversation": "conv_1" }), unsupported, "conversation"),
        (json!({ "prompt": { "id": "pmpt_1" } }), unsupported, "prompt"),
    ]
}

#[tokio::test]
async fn a_request_that_is_refused_leaves_nothing_behind() {
    let provider = provider();
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let client = server.client();
    for body in ["", " ", "{", "[]", "null", "\"text\"", "{\"model\":\"m\"", "{\"model\":\"m\",\"input\":\"x\"} more"] {
        assert_eq!(post(&client, body).await.error().0, 400, "{body}");
    }
    assert_eq!(post(&client, format!("{{\"tools\":{}", "[".repeat(10_000))).await.error().0, 400);
    for (changes, (status, code), param) in cases().into_iter().chain(cases_of_tools()) {
        let answer = post(&client, with(changes.clone())).await;
        assert_eq!(answer.error(), (status, code.map(str::to_owned), Some(param.to_owned())), "{changes}");
    }
    let text = client.request(Method::POST, "/v1/responses").header("content-type", "text/plain");
    assert_eq!(Answer::of(text.body(with(json!({})))).await.error().0, 415);
    for (method, path, status) in [
        (Method::GET, "/v1/responses", 405),
        (Method::PUT, "/v1/models", 405),
        (Method::GET, "/v1/nothing", 404),
        (Method::GET, "/nothing", 404),
        (Method::POST, "/health/live", 405),
    ] {
        assert_eq!(Answer::of(client.request(method, path)).await.error().0, status, "{path}");
    }
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM responses").await, 0);
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM usage_records").await, 0);
    assert!(provider.requests().is_empty());
}

/// What every endpoint of one response answers to an id.
async fn on_every_endpoint(client: &Client, id: &str) -> Vec<Answer> {
    vec![
        client.retrieve(id).await,
        client.get(&format!("/v1/responses/{id}?stream=true")).await,
        client.get(&format!("/v1/responses/{id}/input_items")).await,
        client.cancel(id).await,
        client.delete(id).await,
    ]
}

#[tokio::test]
async fn an_id_that_is_unknown_malformed_or_somebody_elses_finds_nothing() {
    let provider = provider();
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let client = server.client();
    let made = post(&client, with(json!({}))).await.id();
    site.run(&["users", "create", "guest"]);
    let guest = client.with_key(&site.run(&["keys", "create", "--name", "guest", "--user", "guest"]));
    for (who, id) in [(&client, UNKNOWN), (&client, "resp_1"), (&guest, made.as_str())] {
        for answer in on_every_endpoint(who, id).await {
            assert_eq!(answer.error(), (404, None, None), "{id}");
            assert_eq!(answer.json()["error"]["message"], format!("Response with id '{id}' not found."));
        }
    }
    for id in ["msg_1", "5", "%00", "chatcmpl-1"] {
        for answer in on_every_endpoint(&client, id).await {
            assert_eq!(answer.error(), (400, None, Some("response_id".to_owned())), "{id}");
        }
    }
    let foreign = post(&guest, with(json!({ "previous_response_id": made }))).await;
    assert_eq!(foreign.error().1.as_deref(), Some("previous_response_not_found"));
    assert_eq!(client.retrieve(&made).await.status, 200, "nobody else's request changed it");
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM responses").await, 1);
}

#[tokio::test]
async fn asking_twice_is_answered_twice() {
    let provider = provider();
    provider.script("waits", Script::new().text("Hello").stall());
    let site = Site::with_models(&provider, &["m", "waits"]);
    let server = site.start().await;
    let client = server.client();
    let made = post(&client, with(json!({}))).await;
    assert_eq!(client.retrieve(&made.id()).await.text, client.retrieve(&made.id()).await.text);
    for _ in 0..2 {
        let refused = client.cancel(&made.id()).await;
        assert_eq!(refused.error().0, 400);
        assert_eq!(refused.json()["error"]["message"], "Cannot cancel a completed response.");
    }
    let mut events = client.stream("waits", "Hi.").await;
    events.read_until_text("Hello").await;
    let cancelled = client.cancel(&events.id()).await;
    assert_eq!(cancelled.json()["status"], "cancelled");
    assert_eq!(client.cancel(&events.id()).await.text, cancelled.text);
    let deleted = client.delete(&made.id()).await;
    assert_eq!(deleted.json(), json!({ "id": made.id(), "object": "response", "deleted": true }));
    for answer in on_every_endpoint(&client, &made.id()).await {
        assert_eq!(answer.error().0, 404);
    }
}
