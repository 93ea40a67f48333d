//! Servers whose outputs nobody reads.

use std::io::Write as _;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Client, Running, Site};

/// A server that logs much, and a log that nobody reads: its pipe and the server's buffer are full.
async fn unread() -> (Site, Running) {
    let site = Site::new().config("[log]\nfilter = \"trace\"\nbuffer_bytes = \"4KiB\"");
    let site = site.config("[responses]\nheartbeat = \"100ms\"\nhang_after = \"1s\"");
    let server = site.start_unread().await;
    talk(&server.client(), 100).await;
    (site, server)
}

async fn talk(client: &Client, responses: usize) {
    let body = json!({ "model": "eliza", "input": "I feel calm." });
    for answer in join_all((0..responses).map(|_| client.create(&body))).await {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_nothing_up_and_says_what_it_lacks_once_it_is_read() {
    let (_site, mut server) = unread().await;
    assert_eq!(server.client().get("/health/live").await.status, 200);
    server.read_log();
    server.logged("lines of the log were dropped: its reader was too slow").await;
    talk(&server.client(), 1).await;
    server.terminate();
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    assert!(log.ends_with('\n') && log.contains("nothing runs any more"), "it goes on to the end: {log}");
}

#[tokio::test]
async fn a_server_whose_log_nobody_reads_ends_in_order_when_it_is_asked_to() {
    let (_site, server) = unread().await;
    server.terminate();
    assert!(server.ended_unread().await.success());
}

#[tokio::test]
async fn a_server_whose_standard_output_nobody_reads_starts_and_stops() {
    let (_reader, mut pipe) = std::io::pipe().unwrap();
    pipe.write_all(&[b'\n'; 64 * 1024]).unwrap();
    let site = Site::new();
    let server = site.launch_into(pipe.into());
    server.logged("nobody reads standard output").await;
    server.terminate();
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
}

#[cfg(feature = "fault-points")]
#[tokio::test]
async fn a_thread_that_hangs_is_found_though_nobody_reads_the_log() {
    let (_site, server) = unread().await;
    let client = server.client();
    let ready = async |status| {
        while client.get("/health/ready").await.status != status {
            tokio::task::yield_now().await;
        }
    };
    server.signal("-USR1");
    ready(503).await;
    server.signal("-USR2");
    ready(200).await;
}
