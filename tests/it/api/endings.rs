//! Responses that are ended from outside: by a crash, by a stop, by a cancel.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use serde_json::json;

use crate::support::{Client, Events, Site, row_id, texts};

fn provider(gate: &ScriptGate) -> ScriptedProvider {
    let provider = ScriptedProvider::start();
    let begun = Script::new().text("Once ").text("upon ").text("a time");
    provider.script("waits", begun.pause_until(gate).text(" it ended").finish("stop").usage(5, 6).done());
    provider.script("m", Script::answer(["Hello"]));
    provider
}

async fn begun(client: &Client) -> Events {
    let mut events = client.stream("waits", "Tell.").await;
    events.read_until_text("a time").await;
    events
}

#[tokio::test]
async fn a_response_whose_server_was_killed_is_failed_after_the_restart_with_all_that_was_seen() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits", "m"]);
    let server = site.start().await;
    let mut events = begun(&server.client()).await;
    server.kill().await;
    while events.next().await.is_some() {}
    let (id, seen) = (events.id(), events.frames.clone());
    let row = row_id(&id);
    let script = site.script().await;
    let status = format!("SELECT status FROM responses WHERE uuid = '{row}'");
    assert_eq!(texts(&script, &status).await, ["in_progress"]);

    let again = site.start().await;
    let client = again.client();
    // Until then a reader may be asked to come back.
    while texts(&script, &status).await != ["failed"] {
        tokio::task::yield_now().await;
    }
    let mut replay = client.replay(&id).await;
    let last = replay.read_all().await;
    assert_eq!(last["type"], "response.failed");
    assert_eq!(replay.frames[..seen.len()], seen, "the replay begins with what was seen, byte for byte");
    let read = client.retrieve(&id).await;
    assert_eq!(read.json(), last["response"]);
    assert_eq!((read.output_text(), replay.text()), ("Once upon a time".to_owned(), "Once upon a time".to_owned()));
    assert_eq!(texts(&script, &status).await, ["failed"]);
    assert_eq!(texts(&script, "SELECT cause FROM responses").await, ["server_interrupted"]);
    assert_eq!(texts(&script, "SELECT status FROM assistant_messages").await, ["incomplete"]);
    let onwards = json!({ "model": "m", "input": "On.", "previous_response_id": id });
    assert_eq!(client.create(&onwards).await.status, 200, "the conversation goes on");
    assert_eq!(provider.requests().len(), 2, "nothing is asked for again by itself");
}

#[tokio::test]
async fn a_server_told_to_stop_lets_responses_finish_and_takes_no_new_ones() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits", "m"]);
    let server = site.start().await;
    let client = server.client();
    let mut events = begun(&client).await;
    server.terminate();
    server.logged("the server stops").await;
    let mut refused = client.create(&json!({ "model": "m", "input": "Hi." })).await;
    while refused.status == 200 {
        refused = client.create(&json!({ "model": "m", "input": "Hi." })).await;
    }
    assert_eq!(refused.error(), (503, Some("server_is_overloaded".to_owned()), None));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(client.get("/health/ready").await.status, 503);
    assert_eq!(client.get("/health/live").await.status, 200);
    gate.open();
    assert_eq!(events.read_all().await["type"], "response.completed");
    assert_eq!(events.text(), "Once upon a time it ended");
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    assert_eq!(texts(&site.script().await, "SELECT DISTINCT status FROM responses").await, ["completed"]);
}

#[tokio::test]
async fn a_cancel_closes_the_providers_connection_and_keeps_the_text() {
    let provider = provider(&ScriptGate::new());
    let site = Site::with_models(&provider, &["waits"]);
    let server = site.start().await;
    let client = server.client();
    let mut events = begun(&client).await;
    let cancelled = client.cancel(&events.id()).await;
    provider.connection_closed(1).await;
    let last = events.read_all().await;
    assert_eq!(last["response"]["status"], "cancelled");
    assert_eq!(client.retrieve(&events.id()).await.text, cancelled.text);
    assert_eq!(cancelled.output_text(), "Once upon a time");
    let script = site.script().await;
    assert_eq!(texts(&script, "SELECT status FROM responses").await, ["cancelled"]);
    assert_eq!(texts(&script, "SELECT finish_reason FROM assistant_messages").await, ["cancelled"]);
}

#[tokio::test]
async fn a_client_that_leaves_and_asked_for_it_ends_the_response_at_the_provider() {
    let provider = provider(&ScriptGate::new());
    let site = Site::with_models(&provider, &["waits"]);
    let server = site.start().await;
    let client = server.client();
    let body = json!({ "model": "waits", "input": "Tell.", "stream": true });
    let mut events = Events::of(client.creation(&body).header("antiphon-disconnect", "cancel")).await;
    events.read_until_text("a time").await;
    let id = events.id();
    drop(events);
    provider.connection_closed(1).await;
    let mut replay = client.replay(&id).await;
    assert_eq!(replay.read_all().await["type"], "response.incomplete");
    assert_eq!(replay.text(), "Once upon a time");
}
