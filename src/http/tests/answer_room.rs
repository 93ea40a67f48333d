//! What answers of JSON may take in all until their clients have taken them.

use actix_web::test::TestRequest;
use serde_json::json;

use super::fixture::{Api, ApiOptions, create, request};
use crate::http::{BodyMetrics, HttpOptions};
use crate::testkit::Call;

/// More than an answer may have without room.
const LARGE: usize = 100_000;

async fn api(answer_budget: usize, answer_budget_per_key: usize) -> Api {
    let http = HttpOptions { answer_budget, answer_budget_per_key, ..HttpOptions::default() };
    Api::with(ApiOptions { http, ..ApiOptions::default() }).await
}

fn complete_at_length(call: &Call) {
    call.open();
    call.text(&"x".repeat(LARGE));
    call.finish();
}

#[actix_web::test]
async fn answers_that_wait_for_their_clients_have_a_budget_for_each_key_and_one_in_all() {
    for (budget, status, code, refused_by_key, refused_by_node) in [
        ((300_000, 150_000), 429, "too_many_answer_bytes", 3, 0),
        ((150_000, 300_000), 503, "server_is_overloaded", 0, 3),
    ] {
        let api = api(budget.0, budget.1).await;
        let refused = (status, Some(code.to_owned()), None);
        let (small, large) = (api.completed().await, api.ended(complete_at_length).await);
        assert_eq!(api.state().answer_metrics(), BodyMetrics::default());
        let [small, large] = [small, large].map(|id| format!("/v1/responses/{id}"));
        let waits = api.stream(TestRequest::get().uri(&large)).await;
        assert!(api.state().answer_metrics().held_bytes > LARGE);
        let second = api.get(&large).await;
        assert_eq!(second.error(), refused);
        assert_eq!((second.header("retry-after"), second.header("x-should-retry")), ("1", ""));
        // What needs no room is answered.
        assert_eq!(api.get(&small).await.status, 200);
        // To ask again would make another response: this one can be had.
        let (mut made, mut texts) = (Vec::new(), Vec::new());
        for store in [true, false] {
            let mut body = request();
            body["store"] = json!(store);
            let answer = api.played(create(body), complete_at_length).await;
            assert_eq!(answer.error(), refused);
            assert_eq!(answer.header("x-should-retry"), "false");
            texts.push(answer.json()["error"]["message"].as_str().unwrap().to_owned());
            made.push(texts[made.len()].split('\'').nth(1).unwrap().to_owned());
        }
        assert!(
            texts[0].ends_with("Please retrieve it later.") && texts[1].ends_with("It is not stored."),
            "{texts:?}"
        );
        drop(waits);
        let retrieved = api.get(&format!("/v1/responses/{}", made[0])).await;
        assert_eq!(retrieved.status, 200);
        assert_eq!(api.state().answer_metrics(), BodyMetrics { held_bytes: 0, refused_by_key, refused_by_node });
    }
}
