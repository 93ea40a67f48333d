//! Connections that hold places and ask for nothing.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{PATIENCE, Running, Site};

/// A few places, and nothing but a lack of them that closes a connection.
const FEW: &str = "[server]\nworkers = 1\nmax_connections = 8\nheader_timeout = \"10m\"\nidle_timeout = \"10m\"\ncrowded_timeout = \"1s\"";

/// The places for questions about health alone.
const RESERVE: usize = 16;

async fn silent(server: &Running) -> TcpStream {
    TcpStream::connect(server.client().address()).await.unwrap()
}

/// One that was answered, and stays open.
async fn idle(server: &Running) -> TcpStream {
    let mut socket = silent(server).await;
    socket.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 1024];
    let read = socket.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("connection: close"), "{answer}");
    socket
}

async fn closed(mut socket: TcpStream) {
    let read = timeout(PATIENCE, socket.read(&mut [0; 64])).await.expect("the server closes it");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[tokio::test]
async fn silent_connections_on_all_places_and_all_of_the_reserve_keep_nobody_out() {
    let site = Site::new().config(FEW);
    let server = site.start().await;
    let silent = join_all((0..8 + RESERVE).map(|_| silent(&server))).await;
    let live = timeout(PATIENCE, server.client().get("/health/live")).await.expect("health answers");
    assert_eq!(live.status, 200);
    let mut made = server.client().create(&json!({ "model": "eliza", "input": "Hi." })).await;
    while made.status == 503 {
        made = server.client().create(&json!({ "model": "eliza", "input": "Hi." })).await;
    }
    assert_eq!(made.status, 200);
    drop(silent);
}

#[tokio::test]
async fn idle_connections_give_way_when_half_of_all_places_are_taken() {
    let site = Site::new().config(FEW);
    let server = site.start().await;
    // The one that asked whether the server is there may be open still.
    let idle = [idle(&server).await, idle(&server).await];
    let crowd = async {
        let mut others = Vec::new();
        loop {
            others.push(silent(&server).await);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        _ = join_all(idle.map(closed)) => {}
        () = crowd => {}
    }
    assert_eq!(server.client().get("/health/live").await.status, 200);
}
