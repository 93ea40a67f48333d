//! Bodies at the limit, however they are announced.

use actix_web::test::TestRequest;
use serde_json::json;

use super::fixture::{Api, ApiOptions};
use crate::http::HttpOptions;

fn body_of(size: usize) -> String {
    let empty = json!({"model": "none", "input": ""}).to_string().len();
    json!({"model": "none", "input": "i".repeat(size - empty)}).to_string()
}

#[actix_web::test]
async fn a_body_is_read_up_to_its_limit_and_not_one_byte_further() {
    let settings = HttpOptions { body_limit: 100_000, ..HttpOptions::default() };
    let api = Api::with(ApiOptions { http: settings, ..ApiOptions::default() }).await;
    for (size, status, code) in
        [(99_999, 404, "model_not_found"), (100_000, 404, "model_not_found"), (100_001, 413, "request_too_large")]
    {
        for announced in [true, false] {
            let request = TestRequest::post().uri("/v1/responses");
            let request = match announced {
                true => request.insert_header(("content-length", size.to_string())),
                false => request.insert_header(("transfer-encoding", "chunked")),
            };
            let answer = api.send(request.set_payload(body_of(size))).await;
            let (got, got_code, _) = answer.error();
            assert_eq!((got, got_code.as_deref()), (status, Some(code)), "{size}, announced: {announced}");
        }
    }
    // A length that lies does not matter: what comes is counted.
    let lying = TestRequest::post().uri("/v1/responses").insert_header(("content-length", "10"));
    assert_eq!(api.send(lying.set_payload(body_of(100_001))).await.error().0, 413);
    let boasting = TestRequest::post().uri("/v1/responses").insert_header(("content-length", "99999999999999999999"));
    assert!(api.send(boasting.set_payload("{}")).await.error().0 >= 400);
}
