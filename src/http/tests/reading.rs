//! What is answered when all is well.

use std::time::Duration;

use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::fixture::{Api, ApiOptions, complete, create, request};
use crate::domain::{BreakerPolicy, Cause, DisconnectPolicy, FinishReason};
use crate::http::HttpOptions;
use crate::protocol::{ItemId, ResponseId};
use crate::provider::{Error, GateLimits, ProviderEvent, Report};
use crate::testkit::{Call, PuppetProvider};

#[actix_web::test]
async fn a_request_becomes_a_plan_with_every_default() {
    let api = Api::new().await;
    let mut asked = None;
    let post = create(json!({"model": "m", "input": "hi", "unknown": 5})).insert_header(("x-request-id", "my-id"));
    let answer = api
        .played(post, |call| {
            asked = Some(call.request.clone());
            complete(call);
        })
        .await;
    assert_eq!((answer.status.as_u16(), answer.header("x-request-id")), (200, "my-id"));
    assert_eq!(answer.json()["object"], "response");
    let asked = asked.unwrap();
    assert_eq!((asked.request_id.as_str(), asked.target.model.as_str()), ("my-id", "upstream-m"));
    assert_eq!((asked.request.max_output_tokens, asked.request.store), (None, true));
    assert_eq!(asked.prompt.items.len(), 1);
    assert_eq!(*asked.prompt.items[0].id(), ItemId::of_input("msg_", answer.id(), 0));
    let policy = api.run_policy(answer.id()).await;
    assert_eq!((policy.request_id.as_str(), policy.caller.as_str(), policy.resumable), ("my-id", "k", false));
    assert_eq!(policy.disconnect, DisconnectPolicy::Grace(Duration::from_secs(10)));
}

#[actix_web::test]
async fn a_response_in_the_background_is_answered_as_of_now() {
    let api = Api::new().await;
    // No provider has answered, and nothing says that it ended.
    let answer = api.create(json!({"model": "m", "input": "hi", "background": true})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["background"]), (200, &json!(true)));
    assert_eq!(answer.json()["status"], "queued");
    assert!(api.run_policy(answer.id()).await.resumable);
}

#[actix_web::test]
async fn a_stream_of_a_response_in_the_background_does_not_wait_for_the_provider() {
    let http = HttpOptions { header_wait: Duration::MAX, ..HttpOptions::default() };
    let api = Api::with(ApiOptions { http, ..ApiOptions::default() }).await;
    let stream = api.stream(create(json!({"model": "m", "input": "hi", "background": true, "stream": true}))).await;
    assert_eq!(stream.status, 200);
    complete(&api.provider.asked().await);
    assert!(stream.rest().await.text.ends_with("data: [DONE]\n\n"));
}

#[actix_web::test]
async fn request_ids_that_are_not_sane_are_replaced() {
    let api = Api::new().await;
    for id in ["", "with space", "a\"b", "a{b}", "<id>", "a=b", &"x".repeat(129)] {
        let answer = api.send(TestRequest::get().uri("/v1/models").insert_header(("x-request-id", id))).await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{id}");
    }
    let longest = "x".repeat(128);
    let answer = api.send(TestRequest::get().uri("/v1/models").insert_header(("x-request-id", longest.clone()))).await;
    assert_eq!(answer.header("x-request-id"), longest);
}

/// Has the response end in this way, and how the client is answered then.
struct Ending {
    play: fn(&Call),
    status: u16,
    cause: Option<Cause>,
}

#[actix_web::test]
async fn a_response_that_ended_is_answered_whole_or_as_its_error() {
    fn failure(error: Error) -> impl FnOnce(&Call) {
        move |call| call.fail(error)
    }
    let api = Api::new().await;
    for Ending { play, status, cause } in [
        Ending { play: complete, status: 200, cause: None },
        Ending { play: |call| call.events([ProviderEvent::Finished(FinishReason::Length)]), status: 200, cause: None },
        Ending { play: |call| failure(Error::Unreachable)(call), status: 502, cause: Some(Cause::ProviderUnreachable) },
        Ending {
            play: |call| failure(Error::FirstByteTimeout)(call),
            status: 504,
            cause: Some(Cause::FirstByteTimeout),
        },
        Ending {
            play: |call| failure(Error::Status { status: 429, retry_after: None, report: Report::RateLimited })(call),
            status: 429,
            cause: Some(Cause::ProviderRateLimited),
        },
        Ending { play: Call::panic, status: 500, cause: Some(Cause::InternalError) },
    ] {
        for stream in [false, true] {
            let answer = api.played(create(json!({"model": "m", "input": "x", "stream": stream})), play).await;
            assert_eq!(answer.status.as_u16(), status, "{cause:?}");
            if status >= 400 {
                assert_eq!(answer.error().1.as_deref(), cause.map(Cause::code));
                let told = if [429, 503].contains(&status) { "" } else { "false" };
                assert_eq!(answer.header("x-should-retry"), told);
            }
        }
    }
}

#[actix_web::test]
async fn a_response_that_is_cancelled_or_interrupted_meanwhile_is_answered_so() {
    for stream in [false, true] {
        let api = Api::new().await;
        let body = || create(json!({"model": "m", "input": "x", "stream": stream}));
        let cancelled = async {
            let _call = api.provider.asked().await;
            let live = api.node.roster().live();
            let id = live.into_iter().find_map(|label| label.response).unwrap();
            api.post(&format!("/v1/responses/{id}/cancel")).await
        };
        let (answer, cancelled) = tokio::join!(api.send(body()), cancelled);
        assert_eq!((answer.status.as_u16(), cancelled.status.as_u16()), (200, 200));
        assert_eq!(cancelled.json()["status"], "cancelled");
        assert!(stream || answer.json() == cancelled.json());
        let interrupted = async {
            let _call = api.provider.asked().await;
            api.node.drain(Duration::ZERO).await
        };
        let (answer, report) = tokio::join!(api.send(body()), interrupted);
        assert_eq!(answer.error(), (503, Some(Cause::ServerInterrupted.code().to_owned()), None));
        assert_eq!(answer.header("x-should-retry"), "");
        assert_eq!((report.unfinished, report.is_complete, report.is_lease_released), (1, true, true));
    }
}

#[actix_web::test]
async fn the_wait_that_a_provider_asks_for_is_told_up_to_a_day() {
    let api = Api::new().await;
    for (asked, told) in [(7, "7"), (3_600, "3600"), (999_999_999, "86400")] {
        let busy =
            Error::Status { status: 429, retry_after: Some(Duration::from_secs(asked)), report: Report::RateLimited };
        let answer = api.played(create(request()), |call| call.fail(busy)).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, told));
    }
}

#[actix_web::test]
async fn a_response_is_read_cancelled_and_deleted_once() {
    let api = Api::new().await;
    let (id, _call) = api.running().await;
    let path = format!("/v1/responses/{id}");
    assert_eq!(api.get(&path).await.json()["id"], id.to_string());
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
    let api = Api::new().await;
    let path = format!("/v1/responses/{}", api.completed().await);
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
    let api = Api::new().await;
    let said = |text: String| json!({"role": "user", "content": text});
    let input: Vec<_> = (0..25).map(|number| said(format!("{number}"))).collect();
    let id = api.played(create(json!({"model": "m", "input": input})), complete).await.id();
    let path = format!("/v1/responses/{id}/input_items");
    let item = |position| ItemId::of_input("msg_", id, position).as_str().to_owned();
    for (query, expected, has_more) in [
        ("", (5..25).rev().collect::<Vec<_>>(), true),
        ("?limit=100", (0..25).rev().collect(), false),
        (&format!("?order=asc&after={}&limit=1", item(3)), vec![4], true),
        (&format!("?after={}", item(2)), vec![1, 0], false),
        (&format!("?after={}", item(0)), vec![], false),
    ] {
        let page = api.get(&format!("{path}{query}")).await.json();
        let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
        let expected: Vec<_> = expected.into_iter().map(|position| json!(item(position))).collect();
        assert_eq!(
            (&page["object"], &page["has_more"], &ids),
            (&json!("list"), &json!(has_more), &expected),
            "{query}"
        );
        let ends = (ids.first().unwrap_or(&Value::Null), ids.last().unwrap_or(&Value::Null));
        assert_eq!((&page["first_id"], &page["last_id"]), ends);
    }
}

#[actix_web::test]
async fn models_are_listed_and_may_have_slashes() {
    let api = Api::new().await;
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
    let api = Api::new().await;
    for path in ["/health/live", "/health/ready"] {
        let answer = api.send_as(None, TestRequest::get().uri(path)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("ok")));
    }
}

#[actix_web::test]
async fn readiness_says_how_each_provider_is_doing_and_ends_with_the_last_of_them() {
    let [far, gone] = [PuppetProvider::default(), PuppetProvider::default()];
    let mut options =
        ApiOptions { others: vec![("far", far.clone()), ("gone", gone.clone())], ..ApiOptions::default() };
    options.provider.breaker = BreakerPolicy { failures_on_trial: 1, ..BreakerPolicy::default() };
    options.provider.gate = GateLimits { max_concurrent: 2.try_into().unwrap(), ..options.provider.gate };
    let clock = std::sync::Arc::clone(&options.clock);
    let api = Api::with(options).await;
    let ready = || api.send_as(None, TestRequest::get().uri("/health/ready"));
    let fails = async |name: &str, provider: &PuppetProvider| {
        let failed = async { provider.asked().await.fail(Error::Unreachable) };
        let (answer, ()) = tokio::join!(api.create(json!({"model": name, "input": "x"})), failed);
        assert_eq!(answer.status, 502);
    };
    fails("far", &far).await;
    // Far longer than a provider is left alone the first time.
    clock.advance(Duration::from_secs(3_600));
    fails("gone", &gone).await;
    let body = || json!({"model": "m", "input": "x", "stream": true});
    let (_first, _call) = api.opened_stream(body()).await;
    let (_second, _other) = api.opened_stream(body()).await;
    let waiting = async {
        while api.node.providers()["p"].gate.waiting == 0 {
            tokio::task::yield_now().await;
        }
        ready().await.json()
    };
    let seen = tokio::select! {
        _ = api.create(request()) => unreachable!("both slots are taken"),
        seen = waiting => seen,
    };
    let state =
        |name, state, running, waiting| json!({"name": name, "state": state, "running": running, "waiting": waiting});
    let expected = [state("far", "trying", 0, 0), state("gone", "down", 0, 0), state("p", "up", 2, 1)];
    assert_eq!(seen, json!({"status": "degraded", "providers": expected}));
}

#[actix_web::test]
async fn a_server_none_of_whose_providers_can_be_reached_is_not_ready() {
    let mut options = ApiOptions::default();
    options.provider.breaker = BreakerPolicy { failures_on_trial: 1, ..BreakerPolicy::default() };
    let api = Api::with(options).await;
    api.played(create(request()), |call| call.fail(Error::Unreachable)).await;
    let answer = api.send_as(None, TestRequest::get().uri("/health/ready")).await;
    assert_eq!((answer.error().0, answer.header("retry-after")), (503, "1"));
}

#[actix_web::test]
async fn the_disconnect_header_sets_the_policy() {
    let api = Api::new().await;
    for (word, policy) in [
        ("continue", DisconnectPolicy::Continue),
        ("cancel", DisconnectPolicy::Cancel),
        ("grace", DisconnectPolicy::Grace(Duration::from_secs(10))),
    ] {
        let answer = api.played(create(request()).insert_header(("Antiphon-Disconnect", word)), complete).await;
        assert_eq!(api.run_policy(answer.id()).await.disconnect, policy);
    }
}

#[actix_web::test]
async fn a_stream_begins_after_any_number() {
    let api = Api::new().await;
    let id = api.completed().await;
    let whole = api.get(&format!("/v1/responses/{id}?stream=true")).await.text;
    let after = |number: u64| {
        let frames: Vec<_> =
            whole.split_inclusive("\n\n").skip(usize::try_from(number).unwrap_or(usize::MAX)).collect();
        if frames.is_empty() { "data: [DONE]\n\n".to_owned() } else { frames.concat() }
    };
    for (query, from) in [("", 0), ("&starting_after=4", 5), ("&starting_after=18446744073709551615", u64::MAX)] {
        let path = format!("/v1/responses/{id}?stream=true{query}");
        let answer = api.send(TestRequest::get().uri(&path).insert_header(("accept", "application/json"))).await;
        assert_eq!((answer.status.as_u16(), &answer.text), (200, &after(from)), "{query}");
        assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    }
    let padded = api.get(&format!("/v1/responses/{id}?stream=true&include_obfuscation=true")).await.text;
    assert_eq!((padded.matches("\"obfuscation\":").count(), whole.matches("\"obfuscation\":").count()), (1, 0));
    let unknown = format!("/v1/responses/{}?stream=true", ResponseId::new());
    assert_eq!(api.get(&unknown).await.error().0, 404);
}
