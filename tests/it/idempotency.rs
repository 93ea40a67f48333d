//! Requests that repeat others, by their `Idempotency-Key`: one run, whatever happens in between.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider, postgres};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Events, Site, count, execute};

mod embedded;
mod release;

const ROWS: &str = "SELECT COUNT(*) FROM responses";
const KEYS: &str = "SELECT COUNT(*) FROM idempotency_keys";

fn body(model: &str, stream: bool) -> Value {
    json!({ "model": model, "input": "Tell.", "stream": stream })
}

fn not_stored(model: &str, stream: bool) -> Value {
    json!({ "model": model, "input": "Tell.", "stream": stream, "store": false })
}

fn posted(client: &Client, key: &str, body: &Value) -> RequestBuilder {
    client.creation(body).header("idempotency-key", key)
}

async fn post(client: &Client, key: &str, body: &Value) -> Answer {
    Answer::of(posted(client, key, body)).await
}

async fn stream(client: &Client, key: &str, body: &Value) -> Events {
    Events::of(posted(client, key, body)).await
}

/// `waits` says "Once upon" and waits at the gate; `says` says "Hello." at once, and only once.
fn provider(gate: &ScriptGate) -> ScriptedProvider {
    let provider = ScriptedProvider::start();
    let waits = Script::new().text("Once ").text("upon").pause_until(gate).text(" a time");
    provider.script("waits", waits.finish("stop").usage(5, 6).done());
    provider.script("says", Script::answer(["Hello", "."]));
    provider.script("says", Script::answer(["Something else."]));
    provider
}

/// Waits until nothing runs.
async fn settled(site: &Site) {
    let script = site.script().await;
    while count(&script, "SELECT COUNT(*) FROM responses WHERE ended_at IS NULL").await > 0 {
        tokio::task::yield_now().await;
    }
}

fn assert_conflict(answer: &Answer, code: &str) {
    assert_eq!(answer.error(), (409, Some(code.to_owned()), None), "{}", answer.text);
    assert_eq!(answer.header("x-should-retry"), "false");
}

#[tokio::test]
async fn a_repeated_stream_is_the_same_from_its_first_event_on_while_it_runs_and_after() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits"]);
    let server = site.start().await;
    let (client, body) = (server.client(), body("waits", true));
    let mut first = stream(&client, "k", &body).await;
    first.read_until_text("upon").await;
    let mut second = stream(&client, "k", &body).await;
    second.read_until_text("upon").await;
    assert_eq!(second.frames, first.frames);
    gate.open();
    first.read_all().await;
    second.read_all().await;
    let mut third = stream(&client, "k", &body).await;
    assert_eq!(third.read_all().await["type"], "response.completed");
    assert!(first.frames == second.frames && first.frames == third.frames, "{:#?}", third.frames);
    assert_eq!((provider.requests().len(), count(&site.script().await, ROWS).await), (1, 1));
}

#[tokio::test]
async fn a_repeated_request_without_a_stream_is_answered_with_the_same_object() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits", "says"]);
    let server = site.start().await;
    let client = server.client();
    let first = post(&client, "k", &body("says", false)).await;
    let second = post(&client, "k", &body("says", false)).await;
    assert_eq!((first.status, second.status), (200, 200), "{}", second.text);
    assert_eq!((second.json(), second.output_text()), (first.json(), "Hello.".to_owned()));

    let (waits, opened) = (body("waits", false), async {
        gate.reached().await;
        gate.open();
    });
    let (one, two, ()) = tokio::join!(post(&client, "other", &waits), post(&client, "other", &waits), opened);
    assert_eq!((one.json(), one.output_text()), (two.json(), "Once upon a time".to_owned()));
    assert_eq!(provider.requests().len(), 2);
    assert_ne!(post(&client, "third", &body("says", false)).await.id(), first.id(), "another key is another request");
}

#[tokio::test]
async fn a_repeated_request_in_the_background_is_answered_at_once_as_it_stands() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits"]);
    let server = site.start().await;
    let client = server.client();
    let mut body = body("waits", false);
    body["background"] = true.into();
    let first = post(&client, "k", &body).await;
    gate.reached().await;
    let second = post(&client, "k", &body).await;
    assert_eq!((first.status, second.status, second.id()), (200, 200, first.id()));
    assert_eq!(second.json()["status"], "in_progress");
    gate.open();
    client.replay(&first.id()).await.read_all().await;
    let third = post(&client, "k", &body).await;
    assert_eq!((third.json()["status"].clone(), third.output_text()), ("completed".into(), "Once upon a time".into()));
    assert_eq!((provider.requests().len(), count(&site.script().await, ROWS).await), (1, 1));
}

#[tokio::test]
async fn a_key_is_known_after_the_server_was_killed() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits", "says"]);
    let server = site.start().await;
    let ended = post(&server.client(), "whole", &body("says", false)).await;
    let mut first = stream(&server.client(), "k", &body("waits", true)).await;
    first.read_until_text("upon").await;
    server.kill().await;
    let server = site.start().await;
    settled(&site).await;
    let client = server.client();
    let mut second = stream(&client, "k", &body("waits", true)).await;
    let last = second.read_all().await;
    assert_eq!(second.frames[..first.frames.len()], first.frames);
    assert_eq!((second.id(), last["type"].as_str()), (first.id(), Some("response.failed")));
    assert_eq!(post(&client, "whole", &body("says", false)).await.json(), ended.json());
    assert_eq!((provider.requests().len(), count(&site.script().await, ROWS).await), (2, 2));
}

/// Ten equal requests at the same instant; half of them may come before the provider has said anything.
async fn ten_at_once(site: Site, gate: &ScriptGate, provider: &ScriptedProvider) {
    let server = site.start().await;
    let client = server.client();
    let body = body("waits", true);
    let streams = join_all((0..10).map(|_| async {
        let mut events = stream(&client, "same", &body).await;
        events.read_all().await;
        events.frames
    }));
    let opened = async {
        gate.reached().await;
        gate.open();
    };
    let (frames, ()) = tokio::join!(streams, opened);
    assert!(frames.iter().all(|other| *other == frames[0]), "{frames:#?}");
    assert!(frames[0].last().unwrap().starts_with("event: response.completed\n"), "{frames:#?}");
    let script = site.script().await;
    assert_eq!((provider.requests().len(), count(&script, ROWS).await, count(&script, KEYS).await), (1, 1, 1));
}

#[tokio::test]
async fn ten_equal_requests_at_once_are_one_run_on_sqlite() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    ten_at_once(Site::with_models(&provider, &["waits"]), &gate, &provider).await;
}

#[tokio::test]
async fn ten_equal_requests_at_once_are_one_run_on_postgresql() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits"]).on(&postgres::fresh_database());
    ten_at_once(site, &gate, &provider).await;
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_user() {
    let provider = provider(&ScriptGate::new());
    let site = Site::with_models(&provider, &["says"]);
    let server = site.start().await;
    let client = server.client();
    let first = post(&client, "k", &body("says", false)).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_conflict(&post(&client, "k", &body("says", true)).await, "idempotency_key_reused");
    let nonsense = client.request(Method::POST, "/v1/responses").header("idempotency-key", "k").body("{");
    assert_conflict(&Answer::of(nonsense).await, "idempotency_key_reused");
    assert_eq!(provider.requests().len(), 1);

    site.run(&["users", "create", "ada"]);
    let other = client.with_key(&site.run(&["keys", "create", "--name", "hers", "--user", "ada"]));
    let theirs = post(&other, "k", &body("says", false)).await;
    assert_eq!((theirs.status, theirs.output_text()), (200, "Something else.".to_owned()));
    assert_eq!(post(&client, "k", &body("says", false)).await.id(), first.id());
    let mine_too = client.with_key(&site.new_key());
    assert_eq!(post(&mine_too, "k", &body("says", false)).await.id(), first.id(), "keys belong to users");
    assert_eq!((provider.requests().len(), count(&site.script().await, KEYS).await), (2, 2));
}

#[tokio::test]
async fn a_response_that_is_not_stored_can_be_attached_to_while_it_runs() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits"]);
    let server = site.start().await;
    let (client, body) = (server.client(), not_stored("waits", true));
    let mut first = stream(&client, "k", &body).await;
    first.read_until_text("upon").await;
    let mut second = stream(&client, "k", &body).await;
    second.read_until_text("upon").await;
    assert_eq!(second.frames, first.frames, "what was sent before it came, too");
    gate.open();
    assert_eq!(first.read_all().await["type"], "response.completed");
    second.read_all().await;
    assert_eq!(second.frames, first.frames);
    assert_conflict(&post(&client, "k", &body).await, "idempotency_result_not_stored");
    assert_eq!((provider.requests().len(), count(&site.script().await, ROWS).await), (1, 1));
}

#[tokio::test]
async fn the_result_of_a_response_that_was_not_stored_or_was_deleted_is_gone_and_nothing_runs_again() {
    let provider = provider(&ScriptGate::new());
    let site = Site::with_models(&provider, &["says"]);
    let server = site.start().await;
    let client = server.client();
    let (unstored, stored) = (not_stored("says", false), body("says", false));
    assert_eq!(post(&client, "unstored", &unstored).await.output_text(), "Hello.");
    let made = post(&client, "deleted", &stored).await;
    assert_eq!(client.delete(&made.id()).await.status, 200);
    for _ in 0..2 {
        assert_conflict(&post(&client, "unstored", &unstored).await, "idempotency_result_not_stored");
        let deleted = post(&client, "deleted", &stored).await;
        assert_conflict(&deleted, "idempotency_result_not_stored");
        assert!(deleted.text.contains("deleted"), "{}", deleted.text);
    }
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_request_that_is_refused_claims_nothing() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let site = Site::with_models(&provider, &["waits", "says"]).config("max_concurrent = 1\nmax_queue = 0");
    let server = site.start().await;
    let client = server.client();
    let mut bad = body("says", false);
    bad["temperature"] = 7.into();
    assert_eq!(post(&client, "k", &bad).await.status, 400);
    let mut running = client.stream("waits", "Tell.").await;
    running.read_until_text("upon").await;
    let full = post(&client, "k", &body("says", false)).await;
    assert_eq!(full.error(), (429, Some("queue_full".to_owned()), None));
    assert_eq!(count(&site.script().await, KEYS).await, 0);
    gate.open();
    running.read_all().await;
    provider.connection_closed(1).await;
    let taken = loop {
        // The place is free when the socket is closed at this end, too.
        let answer = post(&client, "k", &body("says", false)).await;
        if answer.status != 429 {
            break answer;
        }
    };
    assert_eq!((taken.status, taken.output_text()), (200, "Hello.".to_owned()));
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_characters() {
    let provider = provider(&ScriptGate::new());
    let site = Site::with_models(&provider, &["says"]);
    let server = site.start().await;
    let (client, body) = (server.client(), body("says", false));
    let refused = (400, None, Some("Idempotency-Key".to_owned()));
    for bad in ["", "two words", "tab\there", "ümlaut", &"x".repeat(256)] {
        assert_eq!(post(&client, bad, &body).await.error(), refused, "{bad:?}");
    }
    assert_eq!(Answer::of(posted(&client, "one", &body).header("idempotency-key", "two")).await.error(), refused);
    let longest = "~!\"".repeat(85);
    let (first, second) = (post(&client, &longest, &body).await, post(&client, &longest, &body).await);
    assert_eq!((first.status, first.id()), (200, second.id()));
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn old_keys_are_forgotten_but_those_of_responses_that_can_be_read() {
    let provider = provider(&ScriptGate::new());
    let site = Site::with_models(&provider, &["says"]);
    let server = site.start().await;
    let client = server.client();
    let kept = post(&client, "kept", &body("says", false)).await.id();
    post(&client, "unstored", &not_stored("says", false)).await;
    let deleted = post(&client, "deleted", &body("says", false)).await.id();
    assert_eq!(client.delete(&deleted).await.status, 200);
    post(&client, "young", &not_stored("says", false)).await;
    server.kill().await;
    let script = site.script().await;
    let young = "(SELECT MAX(created_at) FROM idempotency_keys)";
    execute(&script, &format!("UPDATE idempotency_keys SET created_at = 1 WHERE created_at < {young}"), vec![]).await;
    let server = site.start().await;
    while count(&script, KEYS).await > 2 {
        tokio::task::yield_now().await;
    }
    let client = server.client();
    assert_eq!(post(&client, "kept", &body("says", false)).await.id(), kept);
    assert_conflict(&post(&client, "young", &not_stored("says", false)).await, "idempotency_result_not_stored");
    assert_ne!(post(&client, "deleted", &body("says", false)).await.id(), deleted, "it is a new request by now");
}
