//! Bodies of streams.

use std::time::Duration;

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::fixture::{Answer, Api, ApiOptions, create, impatient, request};
use crate::actors::{ActorRole, Label, supervision::Fault};
use crate::http::HttpOptions;
use crate::protocol::ResponseId;
use crate::provider::Error;
use crate::testkit::Call;

const DONE: &str = "data: [DONE]\n\n";
const DELTA: &str = "event: response.output_text.delta\n";

fn streamed() -> Value {
    json!({"model": "m", "input": "x", "stream": true})
}

/// Says that it is finished, and closes the connection.
fn finish(call: Call) {
    call.finish();
}

/// The events of a response that has ended, as everybody can read them.
async fn replay(api: &Api, id: ResponseId) -> String {
    api.get(&format!("/v1/responses/{id}?stream=true")).await.text
}

/// The number of the last event before the error that a body ends with, and that error.
fn broken_off(answer: &Answer) -> (u64, Value) {
    let (before, error) = answer.text.split_once("event: error\ndata: ").unwrap();
    let (_, last) = before.rsplit_once("\"sequence_number\":").unwrap();
    let number: String = last.chars().take_while(char::is_ascii_digit).collect();
    (number.parse().unwrap(), serde_json::from_str(error.strip_suffix("\n\n").unwrap()).unwrap())
}

#[actix_web::test]
async fn frames_are_written_as_they_are_and_then_done() {
    let api = Api::new().await;
    let (mut stream, call) = api.opened_stream(streamed()).await;
    let id = stream.id().await;
    (0..60).for_each(|number| call.text(&format!("word {number} ")));
    finish(call);
    let answer = stream.rest().await;
    assert_eq!(answer.text.matches(DELTA).count(), 60);
    assert!(answer.text.ends_with(DONE));
    assert_eq!(answer.text, replay(&api, id).await);
    for (header, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(answer.header(header), value);
    }
    assert!(api.run_policy(id).await.resumable);
}

#[actix_web::test]
async fn a_silent_stream_sends_comments_between_events() {
    const COMMENT: &str = ": keep-alive\n\n";
    let http = HttpOptions { keep_alive: Duration::from_millis(20), ..HttpOptions::default() };
    let api = Api::with(ApiOptions { http, ..ApiOptions::default() }).await;
    let (mut stream, call) = api.opened_stream(streamed()).await;
    let id = stream.id().await;
    stream.read_until(3, COMMENT).await;
    call.text("Hello.");
    finish(call);
    let [answer, replayed] = [stream.rest().await.text, replay(&api, id).await].map(|text| text.replace(COMMENT, ""));
    assert_eq!(answer, replayed);
}

#[actix_web::test]
async fn a_lost_stream_is_replaced_after_the_last_frame() {
    let api = Api::new().await;
    let (mut stream, call) = api.opened_stream(streamed()).await;
    let id = stream.id().await;
    for said in 1..=2 {
        call.text("Some words. ");
        stream.read_until(said, DELTA).await;
        api.node.roster().inflict(Label::of(ActorRole::ClientEmitter, id), Fault::Panic).await;
    }
    call.text("The last.");
    finish(call);
    let answer = stream.rest().await;
    assert_eq!((answer.text.matches(DELTA).count(), &answer.text), (3, &replay(&api, id).await));
}

#[actix_web::test]
async fn a_stream_that_can_not_go_on_ends_with_the_error_event_and_is_not_done() {
    let stored = Api::with(impatient()).await;
    let away = async {
        let (mut stream, call) = stored.opened_stream(streamed()).await;
        stream.id().await;
        stored.store.go_away();
        call.text("These words become durable never.");
        stream.rest().await
    };
    let forgotten = Api::with(impatient()).await;
    let gone = async {
        let (mut stream, _call) =
            forgotten.opened_stream(json!({"model": "m", "input": "x", "stream": true, "store": false})).await;
        let supervisor = Label::of(ActorRole::ResponseSupervisor, stream.id().await);
        forgotten.node.roster().inflict(supervisor, Fault::Panic).await;
        stream.rest().await
    };
    for (answer, code) in [(away.await, "database_unavailable"), (gone.await, "server_interrupted")] {
        let (last, event) = broken_off(&answer);
        assert_eq!((&event["type"], &event["sequence_number"]), (&json!("error"), &json!(last)));
        assert_eq!((&event["code"], &event["error"]["code"]), (&json!(code), &json!(code)));
        assert_eq!(event["message"], event["error"]["message"]);
    }
}

#[actix_web::test]
async fn streams_that_keep_failing_end_with_an_error() {
    let api = Api::new().await;
    let (mut stream, _call) = api.opened_stream(streamed()).await;
    let emitter = Label::of(ActorRole::ClientEmitter, stream.id().await);
    let mut lost = 0;
    let losing = async {
        loop {
            api.node.roster().wait_until(|live| live.contains(&emitter)).await;
            lost += api.node.roster().inflict(emitter, Fault::Panic).await;
        }
    };
    let answer = tokio::select! {
        answer = stream.rest() => answer,
        () = losing => unreachable!("it never ends"),
    };
    assert_eq!(broken_off(&answer).1["code"], json!("server_error"));
    // The loss of the sixth ends the stream, and may do so before it is counted here.
    assert!(lost >= 5, "five in a row are replaced: {lost}");
}

#[actix_web::test]
async fn the_status_line_waits_for_the_provider_but_not_for_ever() {
    // Nothing yet when time is up: the stream has begun, and tells how it ends.
    let http = HttpOptions { header_wait: Duration::from_millis(30), ..HttpOptions::default() };
    let api = Api::with(ApiOptions { http, ..ApiOptions::default() }).await;
    let stream = api.stream(create(streamed())).await;
    api.provider.asked().await.fail(Error::Unreachable);
    let answer = stream.rest().await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("event: response.failed\n") && answer.text.ends_with(DONE));
    // The database went away before anything was known.
    let http = HttpOptions { header_wait: Duration::MAX, ..HttpOptions::default() };
    let api = Api::with(ApiOptions { http, ..impatient() }).await;
    let away = async {
        let call = api.provider.asked().await;
        api.store.go_away();
        call.fail(Error::Unreachable);
    };
    let (answer, ()) = tokio::join!(api.send(create(streamed())), away);
    assert_eq!(answer.error().0, 503);
}

#[actix_web::test]
async fn a_client_that_waits_for_the_ending_is_told_it_whatever_served_it() {
    let api = Api::new().await;
    let failing = async {
        let call = api.provider.asked().await;
        call.open();
        call.text("Some words.");
        let live = api.node.roster().live();
        let supervisor = live.into_iter().find(|label| label.role == ActorRole::ResponseSupervisor).unwrap();
        api.wait_for_text(supervisor.response.unwrap(), "Some words.").await;
        api.node.roster().inflict(supervisor, Fault::Panic).await;
    };
    let (answer, ()) = tokio::join!(api.create(request()), failing);
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("failed")));
    assert_eq!(answer.json()["output"][0]["content"][0]["text"], "Some words.");
}

#[actix_web::test]
async fn a_reader_is_counted_before_anything_is_read_for_it() {
    let http = HttpOptions { readers_per_key: 1, ..HttpOptions::default() };
    let api = Api::with(ApiOptions { http, ..ApiOptions::default() }).await;
    let id = api.completed().await;
    let nothing = format!("/v1/responses/{}", ResponseId::new());
    assert_eq!(api.get(&nothing).await.error().0, 404);
    let first = api.stream(TestRequest::get().uri(&format!("/v1/responses/{id}?stream=true"))).await;
    assert_eq!(api.get(&nothing).await.error().0, 429);
    drop(first);
}
