//! Requests that are refused: each with its status, its parameter and the envelope, and before anything was stored.

use std::{num::NonZeroUsize, time::Duration};

use actix_web::{ResponseError, test::TestRequest, web};
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::fixture::{Api, ApiOptions, KEY, impatient, request};
use crate::actors::{ActorRole, Label, NodeFailure, ProviderOptions, supervision::Fault};
use crate::domain::FinishReason;
use crate::http::{ApiError, error::RetryAdvice};
use crate::protocol::{ResponseId, Status};
use crate::provider::{Error, GateLimits, ProviderEvent};
use crate::testkit::Call;

/// Sends a body as it is, and checks that nothing was admitted.
async fn refused(api: &Api, body: &str) -> (u16, Option<String>, Option<String>) {
    let request = TestRequest::post().uri("/v1/responses").insert_header(("content-type", "application/json"));
    let answer = tokio::select! {
        answer = api.send(request.set_payload(body.to_owned())) => answer,
        // Nobody would answer the call.
        _call = api.provider.asked() => panic!("the provider was asked: {body}"),
    };
    assert_eq!((api.store.commits(), api.provider.unheard()), (0, 0), "{body}");
    answer.error()
}

fn parameter(param: &str) -> (u16, Option<String>, Option<String>) {
    (400, None, Some(param.to_owned()))
}

#[actix_web::test]
async fn bodies_that_are_no_request_are_refused() {
    let api = Api::new().await;
    for body in [
        "",
        "  ",
        "{",
        "{\"model\":\"m\"",
        "nonsense",
        "\"text\"",
        "{\"model\":\"m\",\"input\":\"x\"} trailing",
        "{\"model\":\"m\",\"input\":\"x\",\"temperature\":NaN}",
        "{\"model\":\"m\",\"input\":\"x\",\"top_p\":1e999}",
    ] {
        let (status, code, _) = refused(&api, body).await;
        assert_eq!((status, code), (400, None), "{body}");
    }
    let deep = "[".repeat(10_000);
    assert_eq!(refused(&api, &format!("{{\"tools\":{deep}")).await.0, 400);
}

#[actix_web::test]
async fn a_body_that_is_no_object_or_has_a_key_twice_is_told_so() {
    let api = Api::new().await;
    let twice = |path: &str| format!("The parameter '{path}' is given twice.");
    for (body, param, message) in [
        (r#" ["m", "hi"]"#, None, "The request's body must be a JSON object.".to_owned()),
        ("5", None, "The request's body must be a JSON object.".to_owned()),
        (r#"{"model":"m","input":"a","model":"n"}"#, Some("model"), twice("model")),
        (
            r#"{"model":"m","input":[{"role":"user","content":"a","role":"user"}]}"#,
            Some("input[0].role"),
            twice("input[0].role"),
        ),
    ] {
        assert_eq!(refused(&api, body).await, (400, None, param.map(str::to_owned)), "{body}");
        let request = TestRequest::post().uri("/v1/responses").insert_header(("content-type", "application/json"));
        let answer = api.send(request.set_payload(body.to_owned())).await;
        assert_eq!(answer.json()["error"]["message"], message, "{body}");
    }
}

#[actix_web::test]
async fn json_that_is_nested_too_deeply_is_refused_wherever_it_stands() {
    let api = Api::new().await;
    for levels in [128, 10_000] {
        let deep = format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        for (keys, param) in [
            (format!(r#""tools":[{{"type":"function","name":"f","parameters":{deep}}}]"#), Some("tools[0]")),
            (
                format!(r#""text":{{"format":{{"type":"json_schema","name":"n","schema":{deep}}}}}"#),
                Some("text.format"),
            ),
            (format!(r#""tool_choice":{deep}"#), Some("tool_choice")),
            (format!(r#""reasoning":{{"effort":{deep}}}"#), Some("reasoning.effort")),
            (format!(r#""conversation":{deep}"#), None),
        ] {
            let body = format!(r#"{{"model":"m","input":"hi",{keys}}}"#);
            assert_eq!(refused(&api, &body).await, (400, None, param.map(str::to_owned)), "{levels}");
        }
    }
}

#[actix_web::test]
async fn a_wrong_type_is_named_by_its_path() {
    let api = Api::new().await;
    for (keys, param) in [
        (json!({"model": 5}), "model"),
        (json!({"input": 5}), "input"),
        (json!({"input": ["text"]}), "input[0]"),
        (json!({"input": [{"role": "user", "content": "a"}, {"role": "user", "content": 5}]}), "input[1].content"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]}),
            "input[0].content[0].text",
        ),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"max_output_tokens": 16.5}), "max_output_tokens"),
        (json!({"metadata": {"k": 5}}), "metadata.k"),
        (json!({"metadata": [1]}), "metadata"),
        (json!({"store": "yes"}), "store"),
        (json!({"stream": 1}), "stream"),
        (
            json!({"stream": true, "stream_options": {"include_obfuscation": "yes"}}),
            "stream_options.include_obfuscation",
        ),
        (json!({"truncation": "middle"}), "truncation"),
        (json!({"include": "all"}), "include"),
    ] {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        assert_eq!(refused(&api, &body.to_string()).await, parameter(param), "{body}");
    }
}

#[actix_web::test]
async fn sizes_and_ranges_are_checked_before_anything_is_stored_or_asked() {
    let api = Api::new().await;
    let large = format!(r#""metadata":{{"k":"{}"}}"#, "v".repeat(10_001));
    assert_eq!(refused(&api, &format!(r#"{{"model":"m","input":"hi",{large}}}"#)).await.0, 413);
    for (param, values) in [
        ("temperature", &["-0.1", "2.1", "1e300"] as &[&str]),
        ("top_p", &["-0.1", "1.1", "1e300"]),
        ("max_output_tokens", &["0", "-1", "15", "1000001", "9223372036854775807"]),
    ] {
        for value in values {
            let body = format!(r#"{{"model":"m","input":"hi","{param}":{value}}}"#);
            assert_eq!(refused(&api, &body).await, parameter(param), "{body}");
        }
        for value in ["NaN", "Infinity", "-Infinity", "1e400"] {
            let body = format!(r#"{{"model":"m","input":"hi","{param}":{value}}}"#);
            assert_eq!(refused(&api, &body).await.0, 400, "{body}");
        }
    }
}

#[actix_web::test]
async fn an_error_does_not_quote_what_was_sent() {
    let api = Api::new().await;
    let body = json!({"model": "m", "input": "x", "temperature": "CANARY".repeat(1_000)});
    let answer = api.create(body).await;
    assert!(!answer.text.contains("CANARY"));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("expected a number"));
}

#[actix_web::test]
async fn what_is_missing_unknown_or_not_supported_has_its_code() {
    let api = Api::new().await;
    let previous = ResponseId::new().to_string();
    for (body, status, code, param) in [
        (json!({"input": "x"}), 400, "missing_required_parameter", "model"),
        (json!({"model": "m"}), 400, "missing_required_parameter", "input"),
        (json!({"model": "none", "input": "x"}), 404, "model_not_found", "model"),
        (json!({"model": "none", "input": "x", "stream": true}), 404, "model_not_found", "model"),
        (
            json!({"model": "m", "input": "x", "background": true, "store": false}),
            400,
            "unsupported_parameter",
            "background",
        ),
        (
            json!({"model": "m", "input": "x", "previous_response_id": previous}),
            400,
            "previous_response_not_found",
            "previous_response_id",
        ),
        (json!({"model": "m", "input": "x".repeat(9_000)}), 413, "context_length_exceeded", "input"),
        (json!({"model": "m", "input": "x".repeat(600_000)}), 413, "request_too_large", "input"),
        (
            json!({"model": "m", "input": "x", "metadata": {"k": "v".repeat(20_000)}}),
            413,
            "request_too_large",
            "metadata",
        ),
    ] {
        let answer = refused(&api, &body.to_string()).await;
        assert_eq!(answer, (status, Some(code.to_owned()), Some(param.to_owned())));
    }
}

#[actix_web::test]
async fn a_parameter_is_checked_before_the_model_is_looked_up() {
    let api = Api::new().await;
    let body = json!({"model": "none", "input": "x", "temperature": 3});
    assert_eq!(refused(&api, &body.to_string()).await, parameter("temperature"));
}

#[actix_web::test]
async fn a_previous_response_that_runs_is_a_conflict_that_passes() {
    let api = Api::new().await;
    let (id, _call) = api.running().await;
    let answer = api.create(json!({"model": "m", "input": "x", "previous_response_id": id})).await;
    let locked = (409, Some("conversation_locked".to_owned()), Some("previous_response_id".to_owned()));
    assert_eq!(answer.error(), locked);
    assert_eq!((answer.header("retry-after"), answer.header("retry-after-ms")), ("1", "1000"));
}

#[actix_web::test]
async fn a_server_that_stops_or_has_no_database_takes_nothing_and_says_when_to_come_back() {
    let stopping = Api::new().await;
    stopping.node.drain(Duration::ZERO).await;
    let alone = Api::with(impatient()).await;
    alone.store.go_away();
    for (api, code) in [(&stopping, "server_is_overloaded"), (&alone, "database_unavailable")] {
        let answer = api.create(request()).await;
        assert_eq!((answer.error().0, answer.error().1.as_deref()), (503, Some(code)));
        assert_eq!(answer.header("retry-after"), "1");
    }
}

#[actix_web::test]
async fn a_node_that_has_failed_is_not_blamed_on_its_database() {
    let api = Api::new().await;
    while !matches!(api.node.failed().now_or_never(), Some(NodeFailure::JournalWriter)) {
        api.node.roster().inflict(Label::node(ActorRole::JournalWriter), Fault::Panic).await;
        tokio::task::yield_now().await;
    }
    let id = ResponseId::new();
    for answer in [api.create(request()).await, api.post(&format!("/v1/responses/{id}/cancel")).await] {
        assert_eq!((answer.error().0, answer.error().1.as_deref()), (503, Some("server_is_overloaded")));
    }
}

#[actix_web::test]
async fn a_lack_of_room_says_where_it_is_and_when_to_come_back() {
    let one = NonZeroUsize::MIN;
    for (code, gate) in [
        ("queue_full", GateLimits { max_concurrent: one, max_queue: 0, max_concurrent_per_key: None }),
        ("key_busy", GateLimits { max_concurrent: one, max_queue: 5, max_concurrent_per_key: Some(one) }),
    ] {
        let provider = ProviderOptions { gate, ..ApiOptions::default().provider };
        let api = Api::with(ApiOptions { provider, ..ApiOptions::default() }).await;
        let refused = async {
            let _call = api.provider.asked().await;
            api.create(request()).await
        };
        let answer = tokio::select! {
            _ = api.create(request()) => unreachable!("its provider says nothing"),
            answer = refused => answer,
        };
        assert_eq!(answer.error(), (429, Some(code.to_owned()), None));
        assert_eq!((answer.header("retry-after"), answer.header("retry-after-ms")), ("1", "1000"));
    }
}

#[test]
fn a_wait_is_told_in_milliseconds_and_in_whole_seconds() {
    let answer = ApiError::internal().retry(RetryAdvice::After(Duration::from_millis(1_500))).error_response();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((header("retry-after"), header("retry-after-ms")), (Some("2".into()), Some("1500".into())));
}

#[actix_web::test]
async fn only_a_good_key_gets_any_further() {
    let api = Api::new().await;
    let unauthorized = (401, Some("invalid_api_key".to_owned()), None);
    for key in [None, Some("bad"), Some("")] {
        for path in ["/v1/models", "/v1/models/m", "/v1/responses/odd", "/v1/responses/odd/input_items"] {
            let answer = api.send_as(key, TestRequest::get().uri(path)).await;
            assert_eq!(answer.error(), unauthorized, "{path}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let create = TestRequest::post().uri("/v1/responses").set_payload("{not json");
        assert_eq!(api.send_as(key, create).await.error(), unauthorized);
    }
    let basic = TestRequest::get().uri("/v1/models").insert_header(("authorization", format!("Basic {KEY}")));
    assert_eq!(api.send_as(None, basic).await.error(), unauthorized);
    let lower = TestRequest::get().uri("/v1/models").insert_header(("authorization", format!("bearer {KEY}")));
    assert_eq!(api.send_as(None, lower).await.status, 200);
}

#[actix_web::test]
async fn paths_methods_and_types_that_are_not_there_have_the_envelope() {
    let api = Api::new().await;
    assert_eq!(api.get("/v1/nothing").await.error(), (404, None, None));
    assert_eq!(api.get("/nothing").await.error(), (404, None, None));
    for (request, allow) in [
        (TestRequest::get().uri("/v1/responses"), "POST"),
        (TestRequest::put().uri("/v1/responses/resp_x"), "GET, HEAD, DELETE"),
        (TestRequest::get().uri("/v1/responses/resp_x/cancel"), "POST"),
        (TestRequest::post().uri("/v1/models"), "GET, HEAD"),
        (TestRequest::post().uri("/health/live"), "GET, HEAD"),
    ] {
        let answer = api.send(request).await;
        assert_eq!((answer.error().0, answer.header("allow")), (405, allow));
    }
    let form = TestRequest::post().uri("/v1/responses").insert_header(("content-type", "text/plain"));
    assert_eq!(api.send(form.set_payload("{}")).await.error().0, 415);
    let gzip = TestRequest::post().uri("/v1/responses").insert_header(("content-encoding", "gzip"));
    assert_eq!(api.send(gzip.set_payload("{}")).await.error().0, 415);
}

#[actix_web::test]
async fn a_panic_is_a_server_error_in_the_envelope() {
    #[expect(clippy::panic, reason = "the fault under test")]
    async fn broken() -> actix_web::HttpResponse {
        panic!("CANARY")
    }
    let api = Api::new().await;
    let routes = web::scope("/v1").route("/broken", web::get().to(broken));
    let answer = api.send_through(routes, None, TestRequest::get().uri("/v1/broken")).await;
    assert_eq!(answer.error(), (500, Some("server_error".to_owned()), None));
    assert!(!answer.text.contains("CANARY"));
}

#[actix_web::test]
async fn ids_that_are_none_are_mistakes_and_ids_of_nothing_are_not_found() {
    let api = Api::new().await;
    let unknown = ResponseId::new().to_string();
    for (id, error) in [
        ("msg_1", parameter("response_id")),
        ("5", parameter("response_id")),
        ("resp_abc", (404, None, None)),
        (unknown.as_str(), (404, None, None)),
    ] {
        for path in [
            format!("/v1/responses/{id}"),
            format!("/v1/responses/{id}/input_items"),
            format!("/v1/responses/{id}?stream=true"),
        ] {
            assert_eq!(api.get(&path).await.error(), error, "{path}");
        }
        let cancel = TestRequest::post().uri(&format!("/v1/responses/{id}/cancel"));
        assert_eq!(api.send(cancel).await.error(), error);
        assert_eq!(api.send(TestRequest::delete().uri(&format!("/v1/responses/{id}"))).await.error(), error);
    }
    let answer = api.get(&format!("/v1/responses/{unknown}")).await;
    assert_eq!(answer.json()["error"]["message"], format!("Response with id '{unknown}' not found."));
}

#[actix_web::test]
async fn queries_that_make_no_sense_are_named() {
    let api = Api::new().await;
    let id = api.completed().await;
    for (query, param) in [
        ("?stream=maybe", "stream"),
        ("?stream=true&starting_after=-1", "starting_after"),
        ("?stream=true&starting_after=one", "starting_after"),
        ("?stream=true&include_obfuscation=5", "include_obfuscation"),
        ("?include[]=nothing", "include"),
        ("/input_items?limit=0", "limit"),
        ("/input_items?limit=101", "limit"),
        ("/input_items?limit=many", "limit"),
        ("/input_items?order=random", "order"),
        ("/input_items?after=unknown", "after"),
    ] {
        assert_eq!(api.get(&format!("/v1/responses/{id}{query}")).await.error(), parameter(param), "{query}");
    }
}

#[actix_web::test]
async fn a_response_that_has_ended_can_not_be_cancelled() {
    let api = Api::with(impatient()).await;
    let failed = |call: &Call| {
        call.open();
        call.text("Some words.");
        call.fail(Error::IdleTimeout);
    };
    let cut = |call: &Call| {
        call.open();
        call.events([ProviderEvent::Finished(FinishReason::Length)]);
    };
    for (id, status) in [
        (api.completed().await, Status::Completed),
        (api.ended(failed).await, Status::Failed),
        (api.ended(cut).await, Status::Incomplete),
    ] {
        let answer = api.post(&format!("/v1/responses/{id}/cancel")).await;
        assert_eq!(answer.error(), (400, None, None));
        let expected = format!("Cannot cancel a {} response.", status.as_str());
        assert_eq!(answer.json()["error"]["message"], Value::from(expected.as_str()));
    }
    let id = api.completed().await;
    api.store.go_away();
    assert_eq!(api.post(&format!("/v1/responses/{id}/cancel")).await.error().0, 503);
}

#[actix_web::test]
async fn the_disconnect_header_is_one_of_three_words() {
    let api = Api::new().await;
    let request = TestRequest::post().uri("/v1/responses").insert_header(("antiphon-disconnect", "perhaps"));
    let answer = api.send(request.set_json(json!({"model": "m", "input": "x"}))).await;
    assert_eq!(answer.error(), parameter("Antiphon-Disconnect"));
}
