//! Clients that send much, slowly or in pieces; beside each flood a client that is served as ever.

use std::time::Duration;

use antiphon::testkit::{Script, ScriptedProvider};
use futures_util::future::{join_all, select_all};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::peak::Peak;
use crate::support::{Client, Running, Site, count};

/// How long the server may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many connections of a kind; each is one descriptor here and one at the server.
const FLOOD: usize = 250;

/// The default of `http.body_budget_per_key`.
const BUDGET: u64 = 32 << 20;

/// What a connection may take beside the body that is kept of its request: what was received and is not read.
const CONNECTION: u64 = 256 << 10;

/// What one may take that has been answered and waits.
const IDLE_CONNECTION: u64 = 64 << 10;

async fn start(options: &str) -> (ScriptedProvider, Site, Running) {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello, ", "world."]));
    let site = Site::with_models(&provider, &["m"]).config(options);
    let server = site.start().await;
    (provider, site, server)
}

async fn is_served(client: &Client) {
    let mut events = client.stream("m", "Hi.").await;
    assert_eq!(events.read_all().await["type"], "response.completed");
    assert_eq!(events.text(), "Hello, world.");
}

fn body() -> String {
    json!({ "model": "m", "input": "Hi." }).to_string()
}

/// The head of a request that makes a response.
fn head(key: &str, headers: &str) -> String {
    format!("POST /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{headers}\r\n\r\n")
}

/// A connection that has sent that.
async fn sent(server: &Running, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(server.client().address()).await.unwrap();
    // The server may have answered and left before it had all of it.
    let _left = socket.write_all(bytes).await;
    socket
}

/// All that is answered until the server closes the connection.
async fn read_all(mut socket: TcpStream) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = timeout(PATIENCE, socket.read(&mut piece)).await.expect("the server closes it") {
        text.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(text).unwrap()
}

/// Reads until that has come; everything up to there.
async fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(end) {
        text.push(timeout(PATIENCE, socket.read_u8()).await.expect("the server answers").unwrap());
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn slow_heads_and_bodies_and_idle_connections_take_little_and_keep_nobody_waiting() {
    let (_provider, site, server) = start("").await;
    let other = server.client().with_key(&site.new_key());
    is_served(&other).await;
    let peak = Peak::of(server.id());
    let _slow_heads = join_all((0..FLOOD).map(|_| sent(&server, b"POST /v1/responses HTTP/1.1\r\nhost: "))).await;
    let _idle = join_all((0..FLOOD).map(|_| sent(&server, b""))).await;
    let beginning = [head(&server.key, "content-length: 8000000").as_bytes(), &vec![b' '; 256 << 10]].concat();
    let slow_bodies = join_all((0..FLOOD).map(|_| sent(&server, &beginning))).await;
    // More than its key may have in memory: some are told so, and how many is a matter of what has arrived.
    let answers = slow_bodies.into_iter().map(|mut socket| async move { read_until(&mut socket, "\r\n\r\n").await });
    let (refused, _, _others) = select_all(answers.map(Box::pin)).await;
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("retry-after: 1\r\n"), "{refused}");
    is_served(&other).await;
    let taken = peak.bytes();
    assert!(taken <= BUDGET + 3 * FLOOD as u64 * CONNECTION, "{taken}");
}

#[tokio::test]
async fn a_thousand_connections_that_idle_take_little_and_keep_nobody_waiting() {
    const IDLE: usize = 1_000;
    // Of this test, which is the client of all of them.
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
    let (_provider, _site, server) = start("[server]\nmax_connections = 2500").await;
    let client = server.client();
    is_served(&client).await;
    let peak = Peak::of(server.id());
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        let mut socket = sent(&server, b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let answer = read_until(&mut socket, "}").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("connection: close"), "{answer}");
        idle.push(socket);
    }
    is_served(&server.client()).await;
    let taken = peak.bytes();
    assert!(taken <= IDLE as u64 * IDLE_CONNECTION, "{taken}");
}

#[tokio::test]
async fn who_is_too_slow_is_cut_and_nothing_of_it_is_kept() {
    let (_provider, site, server) =
        start("[server]\nheader_timeout = \"1s\"\nbody_timeout = \"1s\"\nidle_timeout = \"1s\"").await;
    let slow_head = sent(&server, b"POST /v1/responses HTTP/1.1\r\nhost: ").await;
    let slow_body = sent(&server, format!("{}{{", head(&server.key, "content-length: 100")).as_bytes()).await;
    let idle = sent(&server, b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (head, body, idle) = tokio::join!(read_all(slow_head), read_all(slow_body), read_all(idle));
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
    assert!(idle.starts_with("HTTP/1.1 200 ") && idle.ends_with('}'), "{idle}");
    is_served(&server.client()).await;
    assert_eq!(count(&site.script().await, "SELECT count(*) FROM responses").await, 1);
}

#[tokio::test]
async fn requests_in_line_are_answered_one_after_the_other() {
    const IN_LINE: usize = 2_500;
    let (_provider, _site, server) = start("").await;
    let client = server.client();
    is_served(&client).await;
    let peak = Peak::of(server.id());
    let request = format!("GET /v1/models/m HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", server.key);
    let last = request.replace("host: x", "host: x\r\nconnection: close");
    let requests = [request.repeat(IN_LINE - 1), last].concat();
    let line = || async {
        let socket = TcpStream::connect(client.address()).await.unwrap();
        let (mut reading, mut writing) = socket.into_split();
        let mut text = String::new();
        let (sent, read) = tokio::join!(writing.write_all(requests.as_bytes()), reading.read_to_string(&mut text));
        sent.unwrap();
        read.unwrap();
        text.matches("HTTP/1.1 200 ").count()
    };
    let (answered, ()) = tokio::join!(join_all((0..4).map(|_| line())), is_served(&client));
    assert_eq!(answered, [IN_LINE; 4]);
    // Far from what as many requests at once would take.
    assert!(peak.bytes() <= 256 * CONNECTION, "{}", peak.bytes());
}

#[tokio::test]
async fn what_is_odd_in_http_is_read_or_refused_and_never_guessed() {
    let (_provider, site, server) = start("").await;
    let chunked = head(&server.key, "transfer-encoding: chunked\r\nconnection: close");
    let tiny: String = body().chars().map(|letter| format!("1;why={}\r\n{letter}\r\n", "x".repeat(100))).collect();
    let answer = read_all(sent(&server, format!("{chunked}{tiny}0\r\n\r\n").as_bytes()).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("Hello, world."), "{answer}");
    let malformed = read_all(sent(&server, format!("{chunked}zz\r\n{}\r\n0\r\n\r\n", body()).as_bytes()).await).await;
    assert!(malformed.is_empty() || malformed.starts_with("HTTP/1.1 400 "), "{malformed}");
    for headers in ["x: x\r\n".repeat(100), format!("x: {}\r\n", "x".repeat(140_000))] {
        let large = read_all(sent(&server, head(&server.key, headers.trim_end()).as_bytes()).await).await;
        assert!(large.starts_with("HTTP/1.1 431 "), "{large}");
    }
    for (key, status) in [(server.key.as_str(), "HTTP/1.1 200 "), ("ak_none", "HTTP/1.1 401 ")] {
        let waits = format!("content-length: {}\r\nconnection: close\r\nexpect: 100-continue", body().len());
        let mut socket = sent(&server, head(key, &waits).as_bytes()).await;
        assert_eq!(read_until(&mut socket, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        let _left = socket.write_all(body().as_bytes()).await;
        let answer = read_all(socket).await;
        assert!(answer.starts_with(status), "{answer}");
    }
    is_served(&server.client()).await;
    assert_eq!(count(&site.script().await, "SELECT count(*) FROM responses").await, 3);
}
