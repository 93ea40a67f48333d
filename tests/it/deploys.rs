//! What a server that is told to stop does with what is under way.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::support::{Site, texts};

/// An answer whose events are more than sockets hold: five times its text.
fn long() -> Script {
    let piece = "word ".repeat(4_000);
    (0..200).fold(Script::new(), |script, _| script.text(&piece)).finish("stop").done()
}

#[tokio::test]
async fn a_body_that_is_being_read_is_not_cut_before_the_time_to_drain() {
    let provider = ScriptedProvider::start();
    provider.script("m", long());
    let site = Site::with_models(&provider, &["m"])
        .config("[http]\nanswer_budget_per_key = \"64MiB\"\n[responses]\nmax_output_bytes = 5000000");
    let server = site.start().await;
    let client = server.client();
    let id = client.create(&json!({ "model": "m", "input": "Tell." })).await.id();
    let mut replay = client.replay(&id).await;
    replay.next().await;
    server.terminate();
    server.logged("nothing runs any more: bodies may be read to their ends").await;
    assert_eq!(replay.read_all().await["type"], "response.completed");
    assert_eq!(replay.text().len(), 4_000_000);
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_holds_up_no_stop_for_longer_than_the_time_to_drain() {
    let provider = ScriptedProvider::start();
    provider.script("m", long());
    let site = Site::with_models(&provider, &["m"])
        .config("[server]\ndrain_timeout = \"100ms\"\n[http]\nanswer_budget_per_key = \"64MiB\"\n[responses]\nmax_output_bytes = 5000000");
    let server = site.start().await;
    let client = server.client();
    let id = client.create(&json!({ "model": "m", "input": "Tell." })).await.id();
    let mut socket = narrow(&server.url).await;
    let head = format!(
        "GET /v1/responses/{id}?stream=true HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {}\r\n\r\n",
        server.key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut body = vec![0; 1_000];
    socket.read_exact(&mut body).await.unwrap();
    server.terminate();
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    assert!(log.contains("what is still being sent is cut"), "{log}");
    // It may end as a reset: there was more to send.
    let _cut = socket.read_to_end(&mut body).await;
    assert!(!String::from_utf8_lossy(&body).contains("event: response.completed"), "the sockets held all of it");
}

/// A connection that takes next to nothing before it is read.
async fn narrow(url: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(url.strip_prefix("http://").unwrap().parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_second_signal_stops_at_once_and_the_next_start_settles() {
    let gate = ScriptGate::new();
    let provider = ScriptedProvider::start();
    provider.script("waits", Script::new().text("Once").pause_until(&gate).finish("stop").done());
    let site = Site::with_models(&provider, &["waits"]);
    let server = site.start().await;
    let mut events = server.client().stream("waits", "Tell.").await;
    events.read_until_text("Once").await;
    server.terminate();
    server.logged("the server stops").await;
    server.terminate();
    let (_, log) = server.ended().await;
    assert!(log.contains("stopped at once"), "{log}");
    let script = site.script().await;
    assert_eq!(texts(&script, "SELECT status FROM responses").await, ["in_progress"]);
    let again = site.start().await;
    while texts(&script, "SELECT status FROM responses").await != ["failed"] {
        tokio::task::yield_now().await;
    }
    assert_eq!(texts(&script, "SELECT cause FROM responses").await, ["server_interrupted"]);
    drop(again);
}
