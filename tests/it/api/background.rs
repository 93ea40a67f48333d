//! Responses that run without a client.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Events, Site, count, texts};

fn provider(gate: &ScriptGate) -> ScriptedProvider {
    let provider = ScriptedProvider::start();
    let begun = Script::new().text("Once ").text("upon ").text("a time");
    provider.script("waits", begun.pause_until(gate).text(" it ended").finish("stop").usage(5, 6).done());
    provider.script("fails", Script::status(500, &[], "{}"));
    provider
}

fn body(model: &str) -> Value {
    json!({ "model": model, "input": "Tell.", "background": true })
}

fn streamed(model: &str) -> Value {
    let mut body = body(model);
    body["stream"] = true.into();
    body
}

/// Reads a response until it has ended.
async fn polled(client: &Client, id: &str) -> Answer {
    loop {
        let answer = client.retrieve(id).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let status = answer.json()["status"].as_str().unwrap().to_owned();
        if !["queued", "in_progress"].contains(&status.as_str()) {
            return answer;
        }
        assert_eq!(answer.json()["completed_at"], Value::Null);
    }
}

#[tokio::test]
async fn a_response_in_the_background_is_answered_at_once_and_goes_on_alone() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits"]);
    let server = site.start().await;
    let client = server.client();
    let made = client.create(&body("waits")).await;
    let (status, background) = (made.json()["status"].clone(), made.json()["background"].clone());
    assert!(made.status == 200 && background == true, "{made:?}");
    assert!(status == "queued" || status == "in_progress", "{made:?}");
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM responses WHERE background").await, 1, "durable");
    gate.reached().await;
    assert_eq!(client.retrieve(&made.id()).await.json()["status"], "in_progress");
    gate.open();
    let ended = polled(&client, &made.id()).await;
    assert_eq!(
        (ended.json()["status"].as_str(), ended.output_text()),
        (Some("completed"), "Once upon a time it ended".into())
    );
    let mut replay = client.replay(&made.id()).await;
    assert_eq!(replay.read_all().await["response"], ended.json());
    assert_eq!(replay.data()[0]["type"], "response.created");
    assert_eq!(replay.data()[0]["response"]["status"], "queued");
}

#[tokio::test]
async fn a_stream_that_is_lost_changes_nothing_and_goes_on_where_it_was() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits"]);
    let server = site.start().await;
    let client = server.client();
    // Not even a client that asks for it takes the response with it.
    let mut events = Events::of(client.creation(&streamed("waits")).header("antiphon-disconnect", "cancel")).await;
    events.read_until_text("a time").await;
    let (id, seen) = (events.id(), events.frames.clone());
    drop(events);
    gate.open();
    let after = format!("/v1/responses/{id}?stream=true&starting_after={}", seen.len() - 1);
    let mut rest = Events::of(client.request(reqwest::Method::GET, &after)).await;
    assert_eq!(rest.read_all().await["type"], "response.completed");
    let mut whole = client.replay(&id).await;
    whole.read_all().await;
    assert_eq!([seen, rest.frames].concat(), whole.frames);
    let numbers: Vec<u64> = whole.data().iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..whole.frames.len() as u64).collect::<Vec<_>>());
    assert_eq!(whole.text(), "Once upon a time it ended");
}

#[tokio::test]
async fn a_response_in_the_background_can_be_cancelled_and_deleted() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits"]);
    let server = site.start().await;
    let client = server.client();
    let mut events = Events::of(client.creation(&streamed("waits"))).await;
    events.read_until_text("a time").await;
    let cancelled = client.cancel(&events.id()).await;
    assert_eq!((cancelled.status, cancelled.json()["status"].as_str()), (200, Some("cancelled")));
    provider.connection_closed(1).await;
    assert_eq!(events.read_all().await["response"], cancelled.json());
    assert_eq!(client.cancel(&events.id()).await.text, cancelled.text);
    let made = client.create(&body("waits")).await.id();
    provider.wait_for_request(2).await;
    assert_eq!(client.delete(&made).await.status, 200);
    provider.connection_closed(2).await;
    assert_eq!(client.retrieve(&made).await.status, 404);
}

#[tokio::test]
async fn a_failure_in_the_background_is_read_and_never_the_answer_to_the_request() {
    let provider = provider(&ScriptGate::new());
    let site = Site::with_models(&provider, &["fails"]);
    let server = site.start().await;
    let client = server.client();
    let made = client.create(&body("fails")).await;
    assert_eq!(made.status, 200);
    let ended = polled(&client, &made.id()).await.json();
    assert_eq!((&ended["status"], &ended["error"]["type"]), (&json!("failed"), &json!("provider_unavailable")));
    let mut events = Events::of(client.creation(&streamed("fails"))).await;
    assert_eq!(events.read_all().await["type"], "response.failed");
    assert_eq!(texts(&site.script().await, "SELECT DISTINCT status FROM responses").await, ["failed"]);
}
