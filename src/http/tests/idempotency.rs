//! Which way a request with an idempotency key goes.

use actix_web::test::TestRequest;
use serde_json::json;

use super::fixture::{Answer, Api};
use crate::actors::{DeliveryMode, ResponsePhase};
use crate::domain::{Cause, View};
use crate::protocol::{ResponseId, Status};
use crate::refusal::Refusal;

async fn post(api: &Api, stream: bool) -> Answer {
    let body = json!({"model": "m", "input": "x", "stream": stream});
    let post = TestRequest::post().uri("/v1/responses").insert_header(("idempotency-key", "k"));
    api.send(post.set_json(body)).await
}

#[actix_web::test]
async fn a_new_key_is_claimed_and_its_client_may_come_back() {
    let api = Api::new();
    let feed = api.reader();
    feed.ended(Status::Completed, None);
    assert_eq!(post(&api, false).await.status, 200);
    let plans = api.backend.plans.lock();
    assert!(plans[0].idempotency.is_some() && plans[0].resumable && plans.len() == 1);
}

#[actix_web::test]
async fn a_known_key_is_attached_to_in_the_form_that_is_asked_for() {
    let api = Api::new();
    *api.backend.claimed.lock() = Some(ResponseId::new());
    api.reader().ended(Status::Completed, None);
    assert_eq!(post(&api, false).await.status, 200);
    let feed = api.reader();
    feed.frame(0);
    feed.end();
    assert!(post(&api, true).await.text.contains("[DONE]"));
    assert_eq!(
        *api.backend.attached.lock(),
        [DeliveryMode::Ending, DeliveryMode::Events { view: View::default(), from: 0 }]
    );
    assert!(api.backend.plans.lock().is_empty());
}

#[actix_web::test]
async fn who_loses_the_claim_looks_again() {
    let api = Api::new();
    *api.backend.admit_error.lock() = Some(Refusal::IdempotencyKeyInUse);
    api.backend.claimed_by_admitting.lock().replace(ResponseId::new());
    api.reader().ended(Status::Completed, None);
    assert_eq!(post(&api, false).await.status, 200);
    assert_eq!((api.backend.plans.lock().len(), api.backend.attached.lock().len()), (1, 1));
}

#[actix_web::test]
async fn who_finds_the_key_given_back_runs() {
    let api = Api::new();
    *api.backend.claimed.lock() = Some(ResponseId::new());
    api.backend.given_back.store(true, std::sync::atomic::Ordering::Relaxed);
    api.reader().ended(Status::Completed, None);
    assert_eq!(post(&api, false).await.status, 200);
    assert_eq!(api.backend.plans.lock().len(), 1);
}

#[actix_web::test]
async fn who_never_finds_the_key_free_is_told_to_come_back() {
    let api = Api::new();
    api.backend.key_always_taken.store(true, std::sync::atomic::Ordering::Relaxed);
    let answer = post(&api, false).await;
    assert_eq!(answer.error(), (409, Some("idempotency_key_in_use".to_owned()), None));
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), ("1", ""));
}

#[actix_web::test]
async fn a_failure_that_was_there_before_is_not_to_be_asked_for_again() {
    let api = Api::new();
    *api.backend.claimed.lock() = Some(ResponseId::new());
    api.reader().ended(Status::Failed, Some(Cause::ServerInterrupted));
    let answer = post(&api, false).await;
    assert_eq!((answer.error().0, answer.header("x-should-retry")), (503, "false"));
}

#[actix_web::test]
async fn a_stream_whose_response_is_about_to_fail_without_a_word_is_that_error() {
    let api = Api::new();
    let feed = api.reader();
    feed.phase.send_replace(ResponsePhase::Opened);
    assert!(feed.success_promise.fail());
    let ended = async move {
        tokio::task::yield_now().await;
        feed.ended(Status::Failed, Some(Cause::UpstreamClosed));
    };
    let (answer, ()) = tokio::join!(post(&api, true), ended);
    assert_eq!(answer.error().0, 502);
}

#[actix_web::test]
async fn a_stream_that_was_begun_for_one_client_is_begun_for_all() {
    let api = Api::new();
    let feed = api.reader();
    assert!(feed.success_promise.succeed());
    feed.ended(Status::Failed, Some(Cause::UpstreamClosed));
    feed.end();
    let answer = post(&api, true).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "data: [DONE]\n\n"));
}
