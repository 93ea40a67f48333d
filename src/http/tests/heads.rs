//! HEAD, paths that end with a slash, and what the head of every answer has.

use actix_web::{http::Method, test::TestRequest};
use serde_json::json;

use super::fixture::{Api, request};

fn head(path: &str) -> TestRequest {
    TestRequest::default().method(Method::HEAD).uri(path)
}

#[actix_web::test]
async fn head_is_answered_as_get_is() {
    let api = Api::new().await;
    let id = api.completed().await;
    for path in [
        "/health/live",
        "/health/ready",
        "/v1/models",
        "/v1/models/m",
        "/v1/models/org/name",
        "/v1/models/nobody",
        &format!("/v1/responses/{id}"),
        &format!("/v1/responses/{id}/input_items"),
        "/v1/responses/resp_x",
        "/v1/nothing",
    ] {
        let (got, asked) = (api.get(path).await, api.send(head(path)).await);
        assert_eq!((asked.status, asked.header("content-type")), (got.status, got.header("content-type")), "{path}");
    }
    assert_eq!(api.send_as(None, head("/v1/models")).await.status.as_u16(), 401);
}

#[actix_web::test]
async fn the_head_of_a_stream_starts_none() {
    let api = Api::new().await;
    let (id, _call) = api.running().await;
    let answer = api.send(head(&format!("/v1/responses/{id}?stream=true"))).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/event-stream; charset=utf-8"));
    assert_eq!(answer.text, "", "the response still runs, and nobody waits for it");
}

#[actix_web::test]
async fn a_slash_at_the_end_of_a_path_changes_nothing() {
    let api = Api::new().await;
    let id = api.completed().await;
    for path in ["/health/live", "/v1/models", "/v1/models/org/name", &format!("/v1/responses/{id}"), "/v1/nothing"] {
        let (without, with) = (api.get(path).await, api.get(&format!("{path}/")).await);
        assert_eq!((with.status, with.text), (without.status, without.text), "{path}");
    }
    let body = json!({ "model": "m" });
    let refused = TestRequest::post().uri("/v1/responses/").set_json(body);
    assert_eq!(api.send(refused).await.error().0, 400, "it is read");
    let cancelled = api.post(&format!("/v1/responses/{id}/cancel/")).await;
    assert_eq!(cancelled.status, api.post(&format!("/v1/responses/{id}/cancel")).await.status);
}

#[actix_web::test]
async fn endpoints_that_are_not_there_are_not_taken_for_ids() {
    let api = Api::new().await;
    for path in ["/v1/responses/compact", "/v1/responses/input_tokens", "/v1/responses/compact/"] {
        for method in [Method::POST, Method::GET] {
            let answer = api.send(TestRequest::default().method(method).uri(path).set_json(request())).await;
            assert_eq!(answer.error(), (404, None, None), "{path}");
        }
    }
}

#[actix_web::test]
async fn no_answer_may_be_kept_or_taken_for_another_kind_of_file() {
    let api = Api::new().await;
    let id = api.completed().await;
    let stream = format!("/v1/responses/{id}?stream=true");
    for path in ["/v1/models", "/health/ready", "/v1/nothing", "/v1/responses/resp_x", &stream] {
        let answer = api.get(path).await;
        let told = ["cache-control", "x-content-type-options"].map(|name| answer.header(name));
        assert_eq!(told, ["no-store", "nosniff"], "{path}");
    }
    let answer = api.send_as(None, TestRequest::get().uri("/v1/models")).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (401, "no-store"));
}
