//! Providers that mean harm, on raw sockets: each response ends with its true cause, the provider's socket is closed,
//! and what was taken from it is bounded.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use antiphon::{
    Antiphon, Clock, SystemClock,
    access::AccountService,
    actors::{DeliveryMode, ResponseOutcome, ResponsePhase},
    domain::{
        Cause, DisconnectPolicy, Encoding, Prompt, Request, ResponseOptions, RunPlan, Target, Timeouts, ToolPolicy,
    },
    protocol::{ContentPart, Item, ItemId, ItemStatus, JsonObject, Message, ResponseId, Role, Status},
    provider::{ChatCompletions, UpstreamOptions},
    store::MemoryStore,
    vault::{KeyRing, Vault},
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::{net::TcpSocket, sync::mpsc, time::timeout};

use crate::{
    pressure::peak::Peak,
    support::{Client, Site, row_id, texts},
};

/// How long a socket may take to be closed, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// The bounds of one upstream event and of one upstream call, and of what is read of an answer that is no stream.
const EVENT: u64 = 7 << 20;
const CALL: u64 = (16 << 20) + EVENT;
const DOCUMENT: u64 = 64 << 10;

/// What the operating system may hold of a stream between the two programs, beside what was read.
const IN_FLIGHT: u64 = 10 << 20;

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// The protocols, by their names in the configuration.
const KINDS: [&str; 3] = ["chat_completions", "responses", "anthropic"];

/// What is done to a client that has sent its request. Ends by itself or by the client's leaving.
type Play = fn(&mut Socket) -> io::Result<()>;

/// A server that plays the same to all.
struct Hostile {
    address: SocketAddr,
    /// For each connection that the client has closed, the bytes that it had accepted.
    closed: mpsc::UnboundedReceiver<u64>,
}

/// A connection, and how many bytes it has accepted.
struct Socket {
    stream: TcpStream,
    accepted: u64,
    kind: &'static str,
}

impl Hostile {
    fn start(kind: &'static str, play: Play) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Little is in flight on this side.
        socket.set_send_buffer_size(64 << 10).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(16).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, closed) = mpsc::unbounded_channel();
        thread::spawn(move || serve(&listener, (kind, play), &sender));
        Self { address, closed }
    }

    fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Waits until the client has closed a connection; the bytes that it had accepted.
    async fn accepted(&mut self) -> u64 {
        timeout(SOON, self.closed.recv()).await.expect("the provider's socket is closed").unwrap()
    }
}

/// Ends with the process.
fn serve(listener: &TcpListener, (kind, play): (&'static str, Play), closed: &mpsc::UnboundedSender<u64>) {
    while let Ok((stream, _)) = listener.accept() {
        let closed = closed.clone();
        thread::spawn(move || {
            let mut socket = Socket { stream, accepted: 0, kind };
            // A server looks at its providers by itself now and then; that is no request.
            if socket.read_request().is_ok_and(|head| head.starts_with("POST ")) {
                // Most end by the client's leaving; those that do not wait for it.
                let _left = play(&mut socket).and_then(|()| socket.wait_for_close());
                let _test_is_over = closed.send(socket.accepted);
            }
        });
    }
}

impl Socket {
    fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let mut left = bytes.as_ref();
        while !left.is_empty() {
            let written = self.stream.write(left)?;
            self.accepted += written as u64;
            left = &left[written..];
        }
        Ok(())
    }

    fn for_ever(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        loop {
            self.send(bytes.as_ref())?;
        }
    }

    /// Reads a whole request; its head, or nothing where the client left before.
    fn read_request(&mut self) -> io::Result<String> {
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&request);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
                if body.len() >= length.parse::<usize>().unwrap() {
                    return Ok(head.to_owned());
                }
            }
            match self.stream.read(&mut piece)? {
                0 => return Ok(String::new()),
                read => request.extend_from_slice(&piece[..read]),
            }
        }
    }

    /// Sends nothing for a while; an error if the client leaves meanwhile.
    fn rest(&mut self, pause: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(pause))?;
        match self.stream.read(&mut [0; 64]) {
            Ok(0) => Err(io::ErrorKind::BrokenPipe.into()),
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn wait_for_close(&mut self) -> io::Result<()> {
        while self.stream.read(&mut [0; 64])? > 0 {}
        Ok(())
    }
}

/// One provider, and how a response that it is asked for ends.
struct Case {
    name: &'static str,
    kind: &'static str,
    play: Play,
    status: u16,
    cause: &'static str,
    /// The most bytes that it may get rid of.
    most: u64,
}

impl Case {
    fn new(name: &'static str, (status, cause): (u16, &'static str), read: u64, play: Play) -> Self {
        Self { name, kind: KINDS[0], play, status, cause, most: read + IN_FLIGHT }
    }
}

fn no_streams() -> Vec<Case> {
    let broken = (502, "provider_protocol_error");
    vec![
        Case::new("a-page", broken, DOCUMENT, |socket| {
            socket.send("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 1000000000\r\n\r\n<html>")?;
            socket.for_ever("<p>Welcome!</p>".repeat(1000))
        }),
        Case::new("headers", broken, EVENT, |socket| {
            socket.send("HTTP/1.1 200 OK\r\n")?;
            socket.for_ever("x-again: and again\r\n")
        }),
        Case::new("a-header", broken, EVENT, |socket| {
            socket.send("HTTP/1.1 200 OK\r\nx-again: ")?;
            socket.for_ever("again ".repeat(1000))
        }),
        Case::new("an-error", (400, "provider_rejected"), DOCUMENT, |socket| {
            socket.send("HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n\r\n{\"error\":\"")?;
            socket.for_ever("again ".repeat(1000))
        }),
        Case::new("come-back-never", (503, "provider_unavailable"), DOCUMENT, |socket| {
            socket.send("HTTP/1.1 503 Busy\r\nretry-after: 999999999\r\ncontent-length: 100\r\n\r\n")
        }),
        Case::new("too-many", (429, "provider_rate_limited"), DOCUMENT, |socket| {
            socket.send("HTTP/1.1 429 Busy\r\nretry-after: 999999999\r\ncontent-length: 100\r\n\r\n")
        }),
    ]
}

fn interim_answers() -> Vec<Case> {
    let broken = (502, "provider_protocol_error");
    vec![
        Case::new("continue", broken, DOCUMENT, |socket| socket.for_ever("HTTP/1.1 100 Continue\r\n\r\n".repeat(1000))),
        Case::new("hints", broken, DOCUMENT, |socket| {
            socket.for_ever("HTTP/1.1 103 Early Hints\r\nlink: </again>\r\n\r\n".repeat(1000))
        }),
    ]
}

fn streams() -> Vec<Case> {
    let broken = (502, "provider_protocol_error");
    vec![
        Case::new("a-line", broken, EVENT, |socket| {
            socket.send(format!("{STREAM}data: "))?;
            socket.for_ever("x".repeat(1000))
        }),
        Case::new("lines", broken, EVENT, |socket| {
            socket.send(STREAM)?;
            socket.for_ever("data: {}\n".repeat(100))
        }),
        Case::new("comments", broken, CALL, |socket| {
            socket.send(STREAM)?;
            socket.for_ever(": keep\n\n".repeat(1000))
        }),
        Case::new("wide", broken, CALL, |socket| {
            socket.send(STREAM)?;
            let fields: Vec<String> = (0..50_000).map(|n| format!("\"k{n}\":[{n},{{}}]")).collect();
            socket.for_ever(format!("data: {{{}}}\n\n", fields.join(",")))
        }),
        Case::new("no-text", broken, EVENT, |socket| {
            socket.send(STREAM)?;
            socket.for_ever(b"data: \xF0\x28\x8C\x28\n\n".repeat(1000))
        }),
        Case::new("gzip", broken, CALL, compressed),
        Case::new("a-choice", broken, EVENT, |socket| {
            socket.send(STREAM)?;
            socket.for_ever("data: {\"choices\":[{\"index\":4294967295,\"delta\":{\"content\":\"Hi\"}}]}\n\n")
        }),
    ]
}

/// What comes before any event that says something.
fn beginning(kind: &str) -> String {
    match kind {
        "anthropic" => format!("data: {}\n\n", json!({ "type": "message_start", "message": { "id": "msg_1" } })),
        _ => String::new(),
    }
}

/// An event that has this JSON where its protocol has what a model says.
fn event(kind: &str, number: usize, json: &str) -> String {
    let data = match kind {
        "chat_completions" => format!(r#"{{"choices":[{{"index":0,"delta":{json}}}]}}"#),
        "responses" => format!(r#"{{"type":"response.output_item.done","output_index":{number},"item":{json}}}"#),
        _ => format!(r#"{{"type":"content_block_start","index":{number},"content_block":{json}}}"#),
    };
    format!("data: {data}\n\n")
}

/// A whole call, as that protocol writes what is in an event.
fn call(kind: &str, number: usize) -> String {
    let (id, function) = (format!("c{number}"), json!({ "name": "f", "arguments": "{}" }));
    let call = match kind {
        "chat_completions" => json!({ "tool_calls": [{ "index": number, "id": id, "function": function }] }),
        "responses" => json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{}" }),
        _ => json!({ "type": "tool_use", "id": id, "name": "f", "input": {} }),
    };
    call.to_string()
}

/// The same faults in a protocol.
fn events(kind: &'static str) -> Vec<Case> {
    let broken = (502, "provider_protocol_error");
    let cases = [
        Case::new("nested", broken, EVENT, |socket| {
            let nested = format!("{}{}", "[".repeat(400_000), "]".repeat(400_000));
            socket.send(format!("{STREAM}{}{}", beginning(socket.kind), event(socket.kind, 0, &nested)))
        }),
        Case::new("values", broken, EVENT, |socket| {
            let values = format!("{{\"x\":[{}0]}}", "0,".repeat(300_000));
            socket.send(format!("{STREAM}{}{}", beginning(socket.kind), event(socket.kind, 0, &values)))
        }),
        Case::new("no-event", broken, EVENT, |socket| {
            socket.send(format!("{STREAM}{}", beginning(socket.kind)))?;
            socket.for_ever("data: [[]]\n\n".repeat(1000))
        }),
        Case::new("calls", broken, EVENT, |socket| {
            socket.send(format!("{STREAM}{}", beginning(socket.kind)))?;
            for number in 0..10_000 {
                socket.send(event(socket.kind, number, &call(socket.kind, number)))?;
            }
            Ok(())
        }),
    ];
    cases.map(|case| Case { kind, ..case }).into()
}

/// A good answer in a stored block, which is how a compressor writes what it cannot compress; again and again.
fn compressed(socket: &mut Socket) -> io::Result<()> {
    socket.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n")?;
    let answer = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n";
    let length = u16::try_from(answer.len()).unwrap();
    let lengths = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    let header = b"\x1F\x8B\x08\x00\x00\x00\x00\x00\x00\xFF\x00";
    socket.for_ever([header, &lengths[..], answer.as_bytes()].concat().repeat(100))
}

/// What a client is answered, what the record says, and how many bytes the provider got rid of.
async fn outcome(case: &Case, provider: &mut Hostile, client: &Client) -> (u16, String, u64) {
    let answer = client.create(&json!({ "model": case.name, "input": "Hi." })).await;
    if matches!(answer.status, 429 | 503) {
        assert_eq!(answer.header("retry-after"), "86400", "{}: the wait is capped", case.name);
    }
    let kind = answer.json()["error"]["type"].as_str().unwrap_or_default().to_owned();
    (answer.status, kind, provider.accepted().await)
}

async fn check(cases: Vec<Case>) {
    let mut providers: Vec<Hostile> = cases.iter().map(|case| Hostile::start(case.kind, case.play)).collect();
    let site = cases.iter().zip(&providers).fold(Site::new(), |site, (case, provider)| {
        site.provider_of_kind(case.kind, (case.name, &provider.base_url(), &[case.name]))
    });
    let server = site.start().await;
    let client = server.client();
    let outcomes = cases.iter().zip(&mut providers).map(|(case, provider)| outcome(case, provider, &client));
    let outcomes = join_all(outcomes).await;
    let script = site.script().await;
    for ((case, provider), (status, kind, accepted)) in cases.iter().zip(&mut providers).zip(outcomes) {
        assert_eq!((status, kind.as_str()), (case.status, case.cause), "{}", case.name);
        let row = format!("SELECT status || ' ' || cause FROM responses WHERE model = '{}'", case.name);
        assert_eq!(texts(&script, &row).await, [format!("failed {}", case.cause)], "{}", case.name);
        assert!(accepted <= case.most, "{}: {accepted} bytes were taken, more than {}", case.name, case.most);
        assert!(provider.closed.try_recv().is_err(), "{}: it was asked again", case.name);
    }
    assert_eq!(client.get("/health/ready").await.status, 200);
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_not_read_to_its_end() {
    check(no_streams()).await;
}

#[tokio::test]
async fn a_flood_of_interim_answers_is_left_at_once() {
    check(interim_answers()).await;
}

#[tokio::test]
async fn a_stream_that_breaks_the_protocol_is_left_at_once() {
    check(streams()).await;
}

#[tokio::test]
async fn an_event_that_breaks_its_protocol_ends_the_call_in_each_of_the_three() {
    for kind in KINDS {
        check(events(kind)).await;
    }
}

/// What the largest event may take of memory. It is read once: each of its 262,144 values takes 512 bytes at most, an
/// object of one field with its table and its room for three. Its text is there a dozen times at most: buffers that grow
/// are twice as long as what is in them, and an item's start and end are copied on their way to the log.
const MOST_MEMORY: u64 = 262_144 * 512 + 12 * EVENT;

#[tokio::test]
async fn the_largest_event_of_each_protocol_is_in_memory_once() {
    for kind in KINDS {
        let mut provider = Hostile::start(kind, |socket| {
            let nested = format!("{}0{},", "{\"\":".repeat(50), "}".repeat(50));
            let (values, text) = (nested.repeat(5000), "x".repeat(5 << 20));
            let largest = event(socket.kind, 0, &format!("{{\"type\":\"acme\",\"x\":[{values}0],\"y\":\"{text}\"}}"));
            socket.send(format!("{STREAM}{}{largest}", beginning(socket.kind)))?;
            socket.for_ever("data: [[]]\n\n".repeat(1000))
        });
        let site = Site::new().provider_of_kind(kind, ("large", &provider.base_url(), &["large"]));
        let server = site.start().await;
        let peak = Peak::of(server.id());
        let answer = server.client().create(&json!({ "model": "large", "input": "Hi." })).await;
        assert_eq!(answer.status, 502, "{kind}: {answer:?}");
        provider.accepted().await;
        let taken = peak.bytes();
        assert!(taken <= MOST_MEMORY, "{kind}: {taken} bytes");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_at_one_byte_for_client_and_record_and_the_provider_is_left() {
    let mut provider = Hostile::start(KINDS[0], |socket| {
        socket.send(STREAM)?;
        let delta = json!({ "choices": [{ "delta": { "content": "word ".repeat(100) } }] });
        socket.for_ever(format!("data: {delta}\n\n"))
    });
    let site = Site::new().provider("endless", &provider.base_url(), &["endless"]);
    let server = site.start().await;
    let client = server.client();
    let mut events = client.stream("endless", "Go on.").await;
    let last = events.read_all().await;
    let taken = provider.accepted().await;
    assert!(taken <= 2 * EVENT + IN_FLIGHT, "{taken} bytes were taken");
    assert_eq!(
        (&last["type"], &last["response"]["error"]["type"]),
        (&json!("response.failed"), &json!("content_too_large"))
    );
    let failures = events.frames.iter().filter(|frame| frame.starts_with("event: response.failed")).count();
    let errors = events.frames.iter().filter(|frame| frame.starts_with("event: error")).count();
    assert_eq!((failures, errors), (1, 0));
    assert_eq!(events.text().len(), 1 << 20, "the limit of the output, to the byte");
    let id = events.id();
    assert_eq!(client.retrieve(&id).await.output_text(), events.text());
    let script = site.script().await;
    let row = format!("SELECT status || ' ' || cause FROM responses WHERE uuid = '{}'", row_id(&id));
    assert_eq!(texts(&script, &row).await, ["failed content_too_large"]);
    assert_eq!(texts(&script, "SELECT 'counted' FROM usage_records WHERE output_tokens > 0").await, ["counted"]);
}

/// A response of that provider alone, on a node without a server, and how it ends.
async fn ending(provider: &Hostile, timeouts: Timeouts) -> Arc<ResponseOutcome> {
    let store = Arc::new(MemoryStore::new());
    let vault = Vault::new(KeyRing::generate().unwrap(), store.clone());
    let accounts = AccountService::new(store.clone(), vault.clone());
    let user = accounts.create_user("somebody", SystemClock.now()).await.unwrap().id;
    let upstream = ChatCompletions::new(UpstreamOptions::new(provider.base_url())).unwrap();
    let builder = Antiphon::builder(store, vault).provider("hostile", upstream);
    let antiphon = builder.responses(ResponseOptions { arbiters: 1, ..ResponseOptions::default() }).start().unwrap();
    let id = ResponseId::new();
    let said = Item::Message(Message {
        id: ItemId::of_input("msg_", id, 0),
        role: Role::User,
        status: ItemStatus::Completed,
        content: vec![ContentPart::input_text("Hi.")],
        extra: JsonObject::new(),
    });
    let plan = RunPlan {
        id,
        user,
        request_id: "req_1".to_owned(),
        request: Arc::new(Request::new("m", 2048)),
        input: vec![said.clone()],
        prompt: Arc::new(Prompt { instructions: None, items: vec![said] }),
        caller: "tester".to_owned(),
        targets: vec![Target { timeouts, ..Target::new("hostile", "m") }],
        encoding: Encoding::default(),
        prompt_tokens: 2,
        disconnect: DisconnectPolicy::Cancel,
        idempotency: None,
        resumable: true,
        tools: ToolPolicy::default(),
    };
    let mut reader = antiphon.respond(plan, DeliveryMode::Ending).await.unwrap();
    let ended = reader.phase.wait_for(|phase| matches!(phase, ResponsePhase::Ended(_)));
    let ended = timeout(SOON, ended).await.expect("the response ends").unwrap();
    let ResponsePhase::Ended(outcome) = &*ended else { unreachable!("waited for") };
    Arc::clone(outcome)
}

#[tokio::test]
async fn a_provider_that_never_comes_to_the_point_has_its_time() {
    let short = Duration::from_millis(800);
    let drip: Play = |socket| {
        socket.send(format!("{STREAM}data: "))?;
        loop {
            socket.send("x")?;
            // Never so long that the answer would pause.
            socket.rest(Duration::from_millis(20))?;
        }
    };
    let hints: Play = |socket| {
        for _ in 0..10 {
            socket.send("HTTP/1.1 103 Early Hints\r\nlink: </again>\r\n\r\n")?;
        }
        Ok(())
    };
    let silence: Play = |socket| socket.send(format!("{STREAM}data: x"));
    for (name, play, timeouts, cause) in [
        ("drip", drip, Timeouts { total: short, ..Timeouts::default() }, Cause::DeadlineExceeded),
        ("hints", hints, Timeouts { first_byte: short, ..Timeouts::default() }, Cause::FirstByteTimeout),
        ("silence", silence, Timeouts { idle: short, ..Timeouts::default() }, Cause::IdleTimeout),
    ] {
        let mut provider = Hostile::start(KINDS[0], play);
        let outcome = ending(&provider, timeouts).await;
        assert_eq!((outcome.status, outcome.cause), (Status::Failed, Some(cause)), "{name}");
        provider.accepted().await;
    }
}
