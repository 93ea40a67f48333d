//! What is answered when all is well.

use std::time::Duration;

use actix_web::test::TestRequest;
use serde_json::json;

use super::fixture::{Api, KEY, outcome};
use crate::actors::{DeliveryMode, Emission};
use crate::domain::{BreakerState, Cause, DisconnectPolicy, LimitOptions, View};
use crate::http::HttpOptions;
use crate::protocol::{ItemId, ResponseId, Status};
use crate::provider::{GateFigures, UpstreamHealth};
use crate::store::SortOrder;

#[actix_web::test]
async fn a_request_becomes_a_plan_with_every_default() {
    let api = Api::new();
    api.reader().ended(Status::Completed, None);
    let answer = api
        .send(
            TestRequest::post()
                .uri("/v1/responses")
                .insert_header(("x-request-id", "my-id"))
                .set_json(json!({"model": "m", "input": "hi", "unknown": 5})),
        )
        .await;
    assert_eq!((answer.status.as_u16(), answer.header("x-request-id")), (200, "my-id"));
    assert_eq!(answer.json()["object"], "response");
    let plans = api.backend.plans.lock();
    let plan = &plans[0];
    assert_eq!((plan.request_id.as_str(), plan.targets[0].model.as_str()), ("my-id", "upstream-m"));
    assert_eq!((plan.request.max_output_tokens, plan.request.store, plan.resumable), (2_048, true, false));
    assert_eq!(plan.disconnect, DisconnectPolicy::Grace(Duration::from_secs(10)));
    assert_eq!(plan.prompt.items, plan.input);
    assert_eq!(*plan.input[0].id(), ItemId::of_input("msg_", plan.id, 0));
    assert_eq!(*api.backend.wishes.lock(), [DeliveryMode::Ending]);
}

#[actix_web::test]
async fn a_response_in_the_background_is_answered_as_of_now() {
    let api = Api::new();
    // No provider has answered, and nothing says that it ended.
    let _feed = api.reader();
    let answer = api.create(json!({"model": "m", "input": "hi", "background": true})).await;
    let plans = api.backend.plans.lock();
    assert_eq!((answer.status.as_u16(), &answer.json()["id"]), (200, &json!(plans[0].id)));
    assert!(plans[0].request.background && plans[0].resumable);
}

#[actix_web::test]
async fn a_stream_of_a_response_in_the_background_does_not_wait_for_the_provider() {
    let options = HttpOptions { header_wait: Duration::MAX, ..HttpOptions::default() };
    let api = Api::with(options, LimitOptions::default());
    let feed = api.reader();
    feed.sink.try_send(Emission::End).unwrap();
    let answer = api.create(json!({"model": "m", "input": "hi", "background": true, "stream": true})).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "data: [DONE]\n\n"));
}

#[actix_web::test]
async fn request_ids_that_are_not_sane_are_replaced() {
    let api = Api::new();
    for id in ["", "with space", &"x".repeat(129)] {
        let answer = api.send(TestRequest::get().uri("/v1/models").insert_header(("x-request-id", id))).await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{id}");
    }
    let longest = "x".repeat(128);
    let answer = api.send(TestRequest::get().uri("/v1/models").insert_header(("x-request-id", longest.clone()))).await;
    assert_eq!(answer.header("x-request-id"), longest);
}

#[actix_web::test]
async fn a_response_that_ended_is_answered_whole_or_as_its_error() {
    for (status, cause, expected) in [
        (Status::Completed, None, 200),
        (Status::Cancelled, None, 200),
        (Status::Incomplete, None, 200),
        (Status::Failed, Some(Cause::ProviderUnreachable), 502),
        (Status::Failed, Some(Cause::FirstByteTimeout), 504),
        (Status::Failed, Some(Cause::ProviderRateLimited), 429),
        (Status::Failed, Some(Cause::ServerInterrupted), 503),
        (Status::Failed, Some(Cause::InternalError), 500),
    ] {
        for stream in [false, true] {
            let api = Api::new();
            let feed = api.reader();
            feed.ended(status, cause);
            feed.end();
            let answer = api.create(json!({"model": "m", "input": "x", "stream": stream})).await;
            assert_eq!(answer.status.as_u16(), expected, "{cause:?}");
            if expected >= 400 {
                assert_eq!(answer.error().1.as_deref(), cause.map(Cause::code));
                let told = if [429, 503].contains(&expected) { "" } else { "false" };
                assert_eq!(answer.header("x-should-retry"), told);
            }
        }
    }
}

#[actix_web::test]
async fn the_providers_wait_is_passed_on_but_not_beyond_what_clients_accept() {
    for (asked, told) in [(7, "7"), (3_600, "60")] {
        let api = Api::new();
        let mut outcome = outcome(Status::Failed, Some(Cause::ProviderRateLimited));
        outcome.retry_after = Some(Duration::from_secs(asked));
        let feed = api.reader();
        feed.phase.send_replace(crate::actors::ResponsePhase::Ended(outcome.into()));
        let answer = api.create(json!({"model": "m", "input": "x"})).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, told));
    }
}

#[actix_web::test]
async fn the_wait_for_an_ending_outlives_what_served_the_reader() {
    let api = Api::new();
    drop(api.reader());
    api.reader().ended(Status::Completed, None);
    let answer = api.create(json!({"model": "m", "input": "x"})).await;
    assert_eq!(
        (answer.status.as_u16(), api.backend.resumed.lock().as_slice()),
        (200, [DeliveryMode::Ending].as_slice())
    );
}

#[actix_web::test]
async fn a_response_is_read_cancelled_and_deleted_once() {
    let api = Api::new();
    let id = api.known();
    let path = format!("/v1/responses/{id}");
    assert_eq!(api.get(&path).await.json()["id"], id.to_string());
    *api.backend.cancel.lock() = Some(Ok(outcome(Status::Cancelled, None).into()));
    for _ in 0..2 {
        let cancel = TestRequest::post().uri(&format!("{path}/cancel"));
        let answer = api.send(cancel.insert_header(("content-type", "application/json"))).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("cancelled")));
    }
    let delete = || TestRequest::delete().uri(&path).insert_header(("content-type", "application/json"));
    let answer = api.send(delete().insert_header(("accept", "*/*"))).await;
    assert_eq!(answer.json(), json!({"id": id, "object": "response", "deleted": true}));
    assert_eq!(api.send(delete()).await.error().0, 404);
    assert_eq!(api.get(&path).await.error().0, 404);
}

#[actix_web::test]
async fn lists_of_what_to_include_are_read_in_every_form() {
    let api = Api::new();
    let path = format!("/v1/responses/{}", api.known());
    for query in [
        "include=reasoning.encrypted_content",
        "include[]=reasoning.encrypted_content&include[]=file_search_call.results",
        "include%5B%5D=reasoning.encrypted_content&include%5B%5D=file_search_call.results",
        "include[0]=reasoning.encrypted_content",
        "include=reasoning.encrypted_content,file_search_call.results",
        "include[]=message.output_text.logprobs",
        "stream=false&starting_after=-5",
    ] {
        assert_eq!(api.get(&format!("{path}?{query}")).await.status, 200, "{query}");
    }
    let answer = api.get(&format!("{path}?include[]=file_search_call.results&include[]=nothing")).await;
    assert_eq!(answer.error(), (400, None, Some("include".to_owned())));
}

#[actix_web::test]
async fn input_items_are_paged() {
    let api = Api::new();
    let path = format!("/v1/responses/{}/input_items", api.known());
    let answer = api.get(&path).await;
    let empty = json!({"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false});
    assert_eq!(answer.json(), empty);
    api.get(&format!("{path}?order=asc&after=msg_1&limit=1")).await;
    api.get(&format!("{path}?limit=100")).await;
    let after = Some(ItemId::from("msg_1".to_owned()));
    let pages =
        [(SortOrder::Descending, None, 20), (SortOrder::Ascending, after, 1), (SortOrder::Descending, None, 100)];
    assert_eq!(*api.backend.pages.lock(), pages);
}

#[actix_web::test]
async fn models_are_listed_and_may_have_slashes() {
    let api = Api::new();
    let ids: Vec<_> = api.get("/v1/models").await.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].clone())
        .collect();
    assert_eq!(ids, ["m", "org/name"]);
    let expected = json!({"id": "org/name", "object": "model", "created": 1, "owned_by": "tests"});
    for path in ["/v1/models/org/name", "/v1/models/org%2Fname"] {
        assert_eq!(api.get(path).await.json(), expected);
    }
    assert_eq!(api.get("/v1/models/none").await.error().1.as_deref(), Some("model_not_found"));
}

#[actix_web::test]
async fn health_needs_no_key() {
    let api = Api::new();
    for path in ["/health/live", "/health/ready"] {
        let answer = api.send_as(None, TestRequest::get().uri(path)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("ok")));
    }
}

#[actix_web::test]
async fn readiness_says_how_each_provider_is_doing_and_ends_with_the_last_of_them() {
    let api = Api::new();
    let health = |breaker| UpstreamHealth { breaker, gate: GateFigures { running: 2, waiting: 1, ..idle() } };
    let down = BreakerState::Open { retry_after: Duration::from_secs(3) };
    let ready = || api.send_as(None, TestRequest::get().uri("/health/ready"));
    let providers = [("far", BreakerState::HalfOpen), ("gone", down), ("near", BreakerState::Closed)];
    *api.backend.providers.lock() =
        providers.into_iter().map(|(name, breaker)| (name.to_owned(), health(breaker))).collect();
    let state = |name, state| json!({"name": name, "state": state, "running": 2, "waiting": 1});
    let expected = [state("far", "trying"), state("gone", "down"), state("near", "up")];
    assert_eq!(ready().await.json(), json!({"status": "degraded", "providers": expected}));
    *api.backend.providers.lock() = [("gone".to_owned(), health(down))].into();
    let answer = ready().await;
    assert_eq!((answer.error().0, answer.header("retry-after")), (503, "1"));
}

fn idle() -> GateFigures {
    GateFigures { running: 0, waiting: 0, keys: 0, refused_queue_full: 0, refused_key_busy: 0 }
}

#[actix_web::test]
async fn the_disconnect_header_sets_the_policy() {
    for (word, policy) in [
        ("continue", DisconnectPolicy::Continue),
        ("cancel", DisconnectPolicy::Cancel),
        ("grace", DisconnectPolicy::Grace(Duration::from_secs(10))),
    ] {
        let api = Api::new();
        api.reader().ended(Status::Completed, None);
        let request = TestRequest::post().uri("/v1/responses").insert_header(("Antiphon-Disconnect", word));
        api.send(request.set_json(json!({"model": "m", "input": "x"}))).await;
        assert_eq!(api.backend.plans.lock()[0].disconnect, policy);
    }
}

#[actix_web::test]
async fn a_stream_begins_after_any_number() {
    for (query, from) in [("", 0), ("&starting_after=4", 5), ("&starting_after=18446744073709551615", u64::MAX)] {
        let api = Api::new();
        let id = api.known();
        api.reader().end();
        let path = format!("/v1/responses/{id}?stream=true&include_obfuscation=true{query}");
        let answer =
            api.send_as(Some(KEY), TestRequest::get().uri(&path).insert_header(("accept", "application/json")));
        let answer = answer.await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "data: [DONE]\n\n"));
        assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
        assert_eq!(
            *api.backend.wishes.lock(),
            [DeliveryMode::Events { view: View { include_obfuscation: true }, from }]
        );
    }
    let unknown = format!("/v1/responses/{}?stream=true", ResponseId::new());
    assert_eq!(Api::new().get(&unknown).await.error().0, 404);
}
