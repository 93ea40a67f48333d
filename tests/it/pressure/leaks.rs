//! What is over is gone: after responses that were completed and replayed, left, cancelled, failed and deleted, and
//! connections that asked for nothing, a server has the descriptors, threads and memory that it had before.

use std::{env, fs, time::Duration};

use antiphon::testkit::{Script, ScriptedProvider};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{Client, Running, Site, texts};

/// How many of each kind are there at the same time.
const AT_A_TIME: usize = 8;
/// The kinds of responses.
const KINDS: usize = 4;
/// What each response says before anything happens to it.
const WORDS: &str = "thirty-two bytes of what it says";
/// How long it may take until all is as before, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    descriptors: usize,
    threads: usize,
    /// Resident memory of its own, in bytes.
    memory: usize,
}

/// By how much it may be more than before: what pools and caches keep, which is not more after more responses.
const KEPT: Held = Held { descriptors: 48, threads: 24, memory: 24 << 20 };

impl Held {
    fn by(running: &Running) -> Self {
        let process = format!("/proc/{}", running.id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let number = |label: &str| -> usize {
            let line = status.lines().find_map(|line| line.strip_prefix(label)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let descriptors = fs::read_dir(format!("{process}/fd")).unwrap().count();
        Self { descriptors, threads: number("Threads:"), memory: number("RssAnon:") << 10 }
    }

    fn is_back_at(self, before: Self) -> bool {
        self.descriptors <= before.descriptors + KEPT.descriptors
            && self.threads <= before.threads + KEPT.threads
            && self.memory <= before.memory + KEPT.memory
    }
}

/// A server that ends a response when its client leaves, and remembers none that has ended.
async fn start() -> (ScriptedProvider, Site, Running) {
    let provider = ScriptedProvider::start();
    let said = |end: fn(Script) -> Script| end((0..16).fold(Script::new(), |script, _| script.text(&WORDS.repeat(64))));
    provider.script("whole", said(|script| script.finish("stop").usage(10, 5).done()));
    provider.script("endless", said(Script::stall));
    // An error that is no reason to leave the provider alone.
    provider.script("broken", said(Script::error_event));
    let site = Site::with_models(&provider, &["whole", "endless", "broken"])
        .config("[responses]\ndisconnect = \"cancel\"\noutcome_cache = 0\n[log]\nfilter = \"error\"");
    let running = site.start().await;
    (provider, site, running)
}

/// One of each kind.
async fn one_of_each(client: &Client) {
    let mut whole = client.stream("whole", "hello").await;
    assert_eq!(whole.read_all().await["type"], "response.completed");
    let id = whole.id();
    assert_eq!(client.replay(&id).await.read_all().await["type"], "response.completed");
    assert_eq!(client.delete(&id).await.status, 200);

    let mut left = client.stream("endless", "hello").await;
    left.read_until_text(WORDS).await;
    drop(left);

    let mut cancelled = client.stream("endless", "hello").await;
    cancelled.read_until_text(WORDS).await;
    assert_eq!(client.cancel(&cancelled.id()).await.status, 200);
    cancelled.read_all().await;

    let mut failed = client.stream("broken", "hello").await;
    assert_eq!(failed.read_all().await["type"], "response.failed");

    let mut half = TcpStream::connect(client.address()).await.unwrap();
    half.write_all(b"POST /v1/responses HTTP/1.1\r\nhost: here\r\n").await.unwrap();
    let refused = client.bare(Method::POST, "/v1/responses").body(json!({}).to_string()).send().await.unwrap();
    assert_eq!(refused.status(), 401);
}

/// So many of each kind side by side, by clients of their own.
async fn wave(running: &Running) {
    let client = running.client();
    join_all((0..AT_A_TIME).map(|_| one_of_each(&client))).await;
}

/// Waits until no response runs and all that may be held is what was held before.
async fn is_back(site: &Site, running: &Running, before: Held) -> Held {
    let back = async {
        let database = site.script().await;
        let running_ones = "SELECT status FROM responses WHERE status IN ('queued', 'in_progress')";
        loop {
            let held = Held::by(running);
            if held.is_back_at(before) && texts(&database, running_ones).await.is_empty() {
                return held;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = timeout(PATIENCE, back).await;
    found.unwrap_or_else(|_| unreachable!("{:?} is held, and {before:?} was before", Held::by(running)))
}

#[expect(clippy::print_stdout, reason = "what is held before and after is what the test shows")]
async fn nothing_is_kept(least: usize, time: Duration) {
    let (_provider, site, running) = start().await;
    for _ in 0..2 {
        wave(&running).await;
    }
    let before = Held::by(&running);
    let (begun, mut responses) = (Instant::now(), 0);
    while responses < least || begun.elapsed() < time {
        wave(&running).await;
        responses += AT_A_TIME * KINDS;
    }
    let after = is_back(&site, &running, before).await;
    println!("{responses} responses in {:?}: {before:?} before, {after:?} after", begun.elapsed());
}

#[tokio::test]
async fn responses_and_connections_that_are_over_leave_nothing_behind() {
    nothing_is_kept(320, Duration::ZERO).await;
}

/// `LONG_LEAKS_MINUTES` is how long it goes on.
#[tokio::test]
async fn long_ten_thousand_responses_and_connections_leave_nothing_behind() {
    let minutes = env::var("LONG_LEAKS_MINUTES").map_or(60, |minutes| minutes.parse().unwrap());
    nothing_is_kept(10_000, Duration::from_secs(60 * minutes)).await;
}

/// With the allocator of the program, which gives memory back by itself.
#[cfg(feature = "jemalloc")]
#[tokio::test]
async fn long_the_memory_of_a_burst_of_large_answers_goes_back_to_the_system() {
    let (provider, site, running) = start().await;
    let large = (0..225).fold(Script::new(), |script, _| script.text(&WORDS.repeat(125)));
    provider.script("whole", large.finish("stop").usage(10, 5).done());
    let client = running.client();
    client.stream("whole", "hello").await.read_all().await;
    let before = Held::by(&running);
    let answers = (0..32).map(|_| async { client.stream("whole", "hello").await.read_all().await });
    let answers = join_all(answers).await;
    assert!(answers.iter().all(|last| last["type"] == "response.completed"));
    // Its connections would idle, with two files each.
    drop(client);
    is_back(&site, &running, before).await;
}
