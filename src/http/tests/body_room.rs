//! What the bodies of requests may take in all, over real sockets.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{
    fixture::{Api, ApiOptions, complete, create},
    sockets::{head, listening},
};
use crate::http::{BodyMetrics, HttpOptions};

/// As much as an item takes beside its text.
const ITEM: usize = 4096;

async fn api(body_budget: usize, body_budget_per_key: usize) -> Api {
    let http = HttpOptions { body_budget, body_budget_per_key, ..HttpOptions::default() };
    Api::with(ApiOptions { http, ..ApiOptions::default() }).await
}

/// A client that has sent the beginning of its request's body and sends no more, and that the server has read.
async fn slow_body(api: &Api, bytes: usize) -> (TcpStream, ServerHandle) {
    let (mut socket, server) = listening(api).await;
    socket.write_all(head("content-length: 8000000").as_bytes()).await.unwrap();
    socket.write_all(&vec![b'x'; bytes]).await.unwrap();
    held(api, bytes).await;
    (socket, server)
}

/// Waits until so many bytes are taken.
async fn held(api: &Api, bytes: usize) {
    let state = api.state();
    let taken = async {
        while state.body_metrics().held_bytes != bytes {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), taken).await.unwrap();
}

fn request(bytes: usize) -> Value {
    json!({ "model": "none", "input": "i".repeat(bytes) })
}

#[actix_web::test]
async fn bodies_that_are_being_read_have_a_budget_for_each_key_and_one_in_all() {
    for (budget, status, code, of_key) in [
        ((100_000, 50_000), 429, "too_many_request_bytes", true),
        ((50_000, 100_000), 503, "server_is_overloaded", false),
    ] {
        let api = api(budget.0, budget.1).await;
        let (socket, server) = slow_body(&api, 40_000).await;
        let refused = api.send(create(request(20_000))).await;
        assert_eq!(refused.error(), (status, Some(code.to_owned()), None));
        assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), ("1", "1000"));
        // What has room is read.
        assert_eq!(api.send(create(request(5_000))).await.error().0, 404);
        drop(socket);
        held(&api, 0).await;
        assert_eq!(api.send(create(request(20_000))).await.error().0, 404);
        let (refused_by_key, refused_by_node) = if of_key { (1, 0) } else { (0, 1) };
        assert_eq!(api.state().body_metrics(), BodyMetrics { held_bytes: 0, refused_by_key, refused_by_node });
        server.stop(false).await;
    }
}

#[actix_web::test]
async fn what_short_values_take_in_memory_counts_as_well() {
    let api = api(1_000_000, 10 * ITEM).await;
    let items = |count: usize| create(json!({ "model": "none", "input": vec![json!({}); count] }));
    assert_eq!(api.send(items(9)).await.error().2.as_deref(), Some("input[0].type"));
    assert_eq!(api.send(items(10)).await.error(), (429, Some("too_many_request_bytes".to_owned()), None));
    assert_eq!(api.state().body_metrics().held_bytes, 0);
}

#[actix_web::test]
async fn a_response_that_runs_takes_no_room_of_bodies() {
    let api = api(100_000, 100_000).await;
    let running = api.create(json!({ "model": "m", "input": "x" }));
    let playing = async {
        let call = api.provider.asked().await;
        held(&api, 0).await;
        complete(&call);
    };
    let (answer, ()) = tokio::join!(running, playing);
    assert_eq!(answer.status, 200);
}
