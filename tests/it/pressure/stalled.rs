//! What clients that take nothing hold of the server's memory.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::peak::Peak;
use crate::support::{PATIENCE, Running, Site};

/// A client that asks, and takes an answer only as far as it is told to.
struct Still {
    socket: TcpStream,
    answer: Vec<u8>,
}

impl Still {
    async fn ask(server: &Running, method: &str, path: &str, body: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let mut socket = socket.connect(server.client().address().parse().unwrap()).await.unwrap();
        let (key, length) = (&server.key, body.len());
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(body.as_bytes()).await.unwrap();
        Self { socket, answer: Vec::new() }
    }

    /// Reads until that has come.
    async fn read_until(&mut self, text: &str) {
        let mut looked = 0;
        while !String::from_utf8_lossy(&self.answer[looked..]).contains(text) {
            looked = self.answer.len().saturating_sub(text.len());
            let read = self.socket.read_buf(&mut self.answer).await.unwrap();
            assert!(read > 0, "the answer ended: {}", String::from_utf8_lossy(&self.answer[looked..]));
        }
    }

    /// Reads until that has come, and forgets what was before it.
    async fn skip_to(&mut self, text: &str) {
        loop {
            let found = String::from_utf8_lossy(&self.answer).find(text);
            let passed = found.unwrap_or(self.answer.len().saturating_sub(text.len()));
            self.answer.drain(..passed);
            if found.is_some() {
                return;
            }
            assert!(self.socket.read_buf(&mut self.answer).await.unwrap() > 0, "the answer ended");
        }
    }

    fn status(&self) -> &str {
        std::str::from_utf8(&self.answer[9..12]).unwrap()
    }
}

/// The text of a megabyte.
fn large_text() -> Script {
    let piece = "x".repeat(16 << 10);
    (0..63).fold(Script::new(), |script, _| script.text(&piece))
}

fn large() -> Script {
    large_text().finish("stop").done()
}

/// The beginning of the last event of a stream.
const LAST: &str = "event: response.completed\n";

/// Readers of a stream that have its head.
async fn readers_of(server: &Running, id: &str, readers: usize) -> Vec<Still> {
    let path = format!("/v1/responses/{id}?stream=true");
    let reader = || async {
        let mut reader = Still::ask(server, "GET", &path, "").await;
        reader.read_until("\r\n\r\n").await;
        reader
    };
    join_all((0..readers).map(|_| reader())).await
}

/// Waits until the process takes no more than so many bytes beyond what it had.
async fn falls_to(memory: &Peak, most: u64) {
    let fallen = async {
        while memory.now() > most {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, fallen).await.is_ok(), "{} bytes, {most} were allowed", memory.now());
}

fn request(model: &str) -> Value {
    json!({ "model": model, "input": "Hi." })
}

#[tokio::test]
async fn objects_that_nobody_takes_fill_a_budget_and_no_more() {
    const READERS: u64 = 200;
    const MAKERS: u64 = 4;
    let provider = ScriptedProvider::start();
    provider.script("large", large());
    provider.script("m", Script::answer(["Hello"]));
    let budget =
        "[http]\nbody_limit = 1000000\nanswer_budget_per_key = \"8MiB\"\n[responses]\nmax_output_bytes = \"1MiB\"";
    let site = Site::with_models(&provider, &["large", "m"]).config(budget);
    let server = site.start().await;
    let made = server.client().create(&request("large")).await;
    assert_eq!(made.output_text().len(), 63 << 14);
    let path = format!("/v1/responses/{}", made.id());
    let peak = Peak::of(server.id());
    let mut still = Vec::new();
    for _ in 0..READERS {
        let mut reader = Still::ask(&server, "GET", &path, "").await;
        reader.read_until("\r\n\r\n").await;
        still.push(reader);
    }
    let body = request("large").to_string();
    let makers = (0..MAKERS).map(|_| async {
        let mut maker = Still::ask(&server, "POST", "/v1/responses", &body).await;
        maker.read_until("\r\n\r\n").await;
        maker
    });
    still.extend(join_all(makers).await);
    let taken = still.iter().filter(|reader| reader.status() == "200").count();
    assert!((1..=8).contains(&taken), "{taken}");
    assert!(still.iter().all(|reader| ["200", "429"].contains(&reader.status())));
    // The budget, what a connection may hold, and the work of making four responses and of looking them up.
    let most = (8 << 20) + READERS * 300_000;
    assert!(peak.bytes() <= most + (64 << 20), "{} bytes, {most} were allowed", peak.bytes());
    // A small one is answered, and all others when room is made.
    assert_eq!(server.client().create(&request("m")).await.output_text(), "Hello");
    drop(still);
    while server.client().get(&path).await.status == 429 {}
    assert_eq!(server.client().get(&path).await.output_text().len(), 63 << 14);
}

#[tokio::test]
async fn readers_that_stop_at_the_last_event_of_a_megabyte_hold_little_and_still_get_it_whole() {
    stop_at_the_last_event(10, 20).await;
}

#[tokio::test]
async fn long_fifty_readers_and_two_hundred_replays_that_stop_at_the_last_event_hold_little() {
    stop_at_the_last_event(50, 200).await;
}

/// So many readers of one response that runs, and so many of one that has ended.
async fn stop_at_the_last_event(of_one: usize, replays: usize) {
    const EACH: u64 = 300_000;
    let (provider, gate) = (ScriptedProvider::start(), ScriptGate::new());
    provider.script("runs", large_text().pause_until(&gate).finish("stop").done());
    provider.script("large", large());
    let site = Site::with_models(&provider, &["runs", "large"]).config("[http]\nclient_stall_timeout = \"10m\"");
    let server = site.start().await;
    let ended = server.client().create(&request("large")).await.id();
    let mut first = server.client().stream("runs", "Hi.").await;
    first.next().await;
    let memory = Peak::of(server.id());
    let mut readers = readers_of(&server, &first.id(), of_one).await;
    gate.open();
    readers.extend(readers_of(&server, &ended, replays).await);
    join_all(readers.iter_mut().map(|reader| reader.skip_to(LAST))).await;
    first.read_all().await;
    // Two responses that have ended, beside what each reader holds.
    falls_to(&memory, (of_one + replays) as u64 * EACH + (8 << 20)).await;
    let mut whole = Vec::new();
    for id in [&first.id(), &ended] {
        let text = server.client().get(&format!("/v1/responses/{id}?stream=true")).await.text;
        whole.push(text[text.find(LAST).unwrap()..].to_owned());
    }
    for (number, mut reader) in readers.into_iter().enumerate() {
        reader.read_until("data: [DONE]\n\n").await;
        assert!(reader.answer == whole[usize::from(number >= of_one)].as_bytes(), "reader {number}");
    }
}
