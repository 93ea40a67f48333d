//! Servers whose outputs nobody reads.

use std::io::Write as _;

use serde_json::json;

use crate::support::{Client, Running, Site};

/// A server that logs much, and a log that nobody reads: its pipe and the server's buffer are full.
async fn unread() -> (Site, Running) {
    let site = Site::new().config("[log]\nfilter = \"trace\"\nbuffer_bytes = \"4KiB\"");
    let server = site.start_unread().await;
    talk(&server.client(), 100).await;
    (site, server)
}

async fn talk(client: &Client, responses: usize) {
    for _ in 0..responses {
        let answer = client.create(&json!({ "model": "eliza", "input": "I feel calm." })).await;
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
