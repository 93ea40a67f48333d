//! Which way a request with an idempotency key goes.

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::fixture::{Answer, Api, ApiOptions, complete, create};
use crate::actors::{ClientStream, DeliveryMode, Label, ResponsePhase, Role, supervision::Fault};
use crate::admission::RequestContext;
use crate::domain::View;
use crate::provider::Error;
use crate::store::IdempotencyKeyStore;

fn body(stream: bool) -> Value {
    json!({"model": "m", "input": "x", "stream": stream})
}

fn post(stream: bool) -> TestRequest {
    create(body(stream)).insert_header(("idempotency-key", "k"))
}

/// A node between whose actors and clients there is room for one event.
async fn narrow() -> Api {
    let mut options = ApiOptions::default();
    options.responses.emission_buffer = 1;
    Api::with(options).await
}

/// A response with the key of this body, whose client reads none of its events.
async fn unread(api: &Api, body: &Value) -> ClientStream {
    let context = RequestContext {
        request_id: "req_unread".to_owned(),
        caller: "k".to_owned(),
        disconnect: None,
        idempotency: Some(api.idempotency("k", body)),
    };
    let request = serde_json::from_value(body.clone()).unwrap();
    let mode = DeliveryMode::Events { view: View::default(), from: 0 };
    api.node.answer_request(api.user, request, context, mode).await.unwrap().into_stream()
}

fn has_ended(phase: &ResponsePhase) -> bool {
    matches!(phase, ResponsePhase::Ended(_))
}

#[actix_web::test]
async fn a_new_key_is_claimed_and_its_client_may_come_back() {
    let api = Api::new().await;
    let answer = api.played(post(false), complete).await;
    assert_eq!(answer.status, 200);
    let claimed = api.node.claimed(api.user, &api.idempotency("k", &body(false))).await.unwrap();
    assert_eq!(claimed, Some(answer.id()));
    assert!(api.run_policy(answer.id()).await.resumable);
}

#[actix_web::test]
async fn a_known_key_is_attached_to_in_the_form_that_is_asked_for() {
    let api = Api::new().await;
    for stream in [false, true] {
        let first = api.played(post(stream).insert_header(("idempotency-key", stream.to_string())), complete).await;
        let again = api.send(post(stream).insert_header(("idempotency-key", stream.to_string()))).await;
        assert_eq!((first.status.as_u16(), again.status.as_u16(), &again.text), (200, 200, &first.text));
        assert_eq!(again.text.ends_with("data: [DONE]\n\n"), stream);
    }
    assert_eq!(api.provider.unheard(), 0);
}

#[actix_web::test]
async fn who_loses_the_claim_looks_again() {
    let api = Api::new().await;
    let first = unread(&api, &body(false)).await;
    complete(&api.provider.asked().await);
    // The second one saw no claim before it made its own.
    api.store.lag_idempotency_keys(1, None);
    let answer = api.send(post(false)).await;
    assert_eq!((answer.status.as_u16(), answer.id(), api.provider.unheard()), (200, first.id, 0));
}

#[actix_web::test]
async fn who_finds_the_key_given_back_runs() {
    let api = narrow().await;
    let first = unread(&api, &body(false)).await;
    let claim = api.idempotency("k", &body(false));
    let claimed = api.store.idempotency_key(api.user, &claim.key).await.unwrap();
    drop(api.provider.asked().await);
    api.wait_for(first.id, has_ended).await;
    // It saw the claim of the first one, which was given back meanwhile.
    api.store.lag_idempotency_keys(1, claimed);
    let answer = api.played(post(false), complete).await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.id(), first.id);
}

#[actix_web::test]
async fn who_never_finds_the_key_free_is_told_to_come_back() {
    let api = Api::new().await;
    let _first = unread(&api, &body(false)).await;
    api.store.lag_idempotency_keys(usize::MAX, None);
    let answer = api.send(post(false)).await;
    assert_eq!(answer.error(), (409, Some("idempotency_key_in_use".to_owned()), None));
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), ("1", ""));
}

#[actix_web::test]
async fn a_key_with_another_body_is_a_conflict_even_if_that_body_can_not_be_read() {
    let api = Api::new().await;
    assert_eq!(api.played(post(false), complete).await.status, 200);
    for body in ["{\"model\":\"m\",\"input\":\"y\"}", "{not json", "{\"model\":5}"] {
        let again = TestRequest::post().uri("/v1/responses").insert_header(("idempotency-key", "k")).set_payload(body);
        let answer = api.send(again).await;
        assert_eq!(answer.error(), (409, Some("idempotency_key_reused".to_owned()), None), "{body}");
        assert_eq!(answer.header("x-should-retry"), "false");
    }
    let new = TestRequest::post().uri("/v1/responses").insert_header(("idempotency-key", "new"));
    assert_eq!(api.send(new.set_payload("{not json")).await.error(), (400, None, None));
}

#[actix_web::test]
async fn a_failure_that_was_there_before_is_not_to_be_asked_for_again() {
    let api = Api::new().await;
    let lost = async {
        let _call = api.provider.asked().await;
        api.node.roster().inflict(Label::node(Role::ResponseRegistry), Fault::Panic).await;
    };
    let (first, ()): (Answer, ()) = tokio::join!(api.send(post(false)), lost);
    let again = api.send(post(false)).await;
    let interrupted = (503, Some("server_error".to_owned()), None);
    assert_eq!((first.error(), again.error()), (interrupted.clone(), interrupted));
    assert_eq!((first.header("x-should-retry"), again.header("x-should-retry")), ("", "false"));
}

#[actix_web::test]
async fn a_stream_whose_response_is_about_to_fail_without_a_word_is_that_error() {
    let api = Api::new().await;
    let first = unread(&api, &body(true)).await;
    let call = api.provider.asked().await;
    call.open();
    api.wait_for(first.id, |phase| matches!(phase, ResponsePhase::Opened)).await;
    api.store.hold_commits();
    drop(call);
    api.store.commit_held().await;
    let ended = async {
        let emitter = Label::of(Role::ClientEmitter, first.id);
        api.node.roster().wait_until(|live| live.iter().filter(|label| **label == emitter).count() == 2).await;
        api.store.release_commits();
    };
    let (answer, ()) = tokio::join!(api.send(post(true)), ended);
    assert_eq!(answer.error().0, 502);
}

#[actix_web::test]
async fn a_stream_that_was_begun_for_one_client_is_begun_for_all() {
    let api = narrow().await;
    let begun = async {
        let call = api.provider.asked().await;
        call.open();
        call
    };
    let (mut first, call) = tokio::join!(api.stream(post(true)), begun);
    let id = first.id().await;
    call.fail(Error::Closed);
    api.wait_for(id, has_ended).await;
    let answer = api.send(post(true)).await;
    assert_eq!((first.status.as_u16(), answer.status.as_u16()), (200, 200));
    assert!(answer.text.contains("event: response.failed\n") && answer.text.ends_with("data: [DONE]\n\n"));
    assert_eq!(first.rest().await.text, answer.text);
}
