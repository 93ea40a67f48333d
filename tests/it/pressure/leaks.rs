//! What is over is gone: after responses that were completed and replayed, left, cancelled, failed and deleted, and
//! connections that asked for nothing, a server has the descriptors, threads and memory that it had after half of them.
//! That no actor is left of any ending is `endings`.

use std::{env, fs, time::Duration};

use antiphon::testkit::{Script, ScriptedProvider};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
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
/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// What the process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    threads: usize,
    /// Resident memory of its own, in bytes.
    memory: usize,
}

/// By how much it may be more after twice as many responses: what pools and caches keep is there after the first half.
const NOISE: Held = Held { descriptors: 6, threads: 6, memory: 4 << 20 };

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

    fn is_within(self, most: Self) -> bool {
        self.descriptors <= most.descriptors && self.threads <= most.threads && self.memory <= most.memory
    }

    fn and(self, more: Self) -> Self {
        Self {
            descriptors: self.descriptors + more.descriptors,
            threads: self.threads + more.threads,
            memory: self.memory + more.memory,
        }
    }

    /// The least of each.
    fn least(self, other: Self) -> Self {
        Self {
            descriptors: self.descriptors.min(other.descriptors),
            threads: self.threads.min(other.threads),
            memory: self.memory.min(other.memory),
        }
    }
}

/// A server that ends a response when its client leaves, and remembers none that has ended.
async fn start(allocator: &str) -> (ScriptedProvider, Site, Running) {
    let provider = ScriptedProvider::start();
    let said = |end: fn(Script) -> Script| end((0..16).fold(Script::new(), |script, _| script.text(&WORDS.repeat(64))));
    provider.script("whole", said(|script| script.finish("stop").usage(10, 5).done()));
    provider.script("endless", said(Script::stall));
    // An error that is no reason to leave the provider alone.
    provider.script("broken", said(Script::error_event));
    let site = Site::with_models(&provider, &["whole", "endless", "broken"])
        // Caches of few connections are soon full.
        .config("[store]\nmax_connections = 2")
        .config("[responses]\ndisconnect = \"cancel\"\noutcome_cache = 0\n[log]\nfilter = \"error\"")
        .variable("_RJEM_MALLOC_CONF", allocator);
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

/// Waits until nothing runs or waits any more, by the database and by what the server itself counts.
async fn idle(site: &Site, running: &Running) {
    let database = site.script().await;
    let running_ones = "SELECT status FROM responses WHERE status IN ('queued', 'in_progress')";
    let idle = async {
        while !texts(&database, running_ones).await.is_empty() || works(running).await != Some(0) {
            tokio::time::sleep(LOOK).await;
        }
    };
    assert!(timeout(PATIENCE, idle).await.is_ok(), "{}", running.client().get("/health/ready").await.text);
}

/// How many responses run at the providers, or wait there, unless the server has another answer now.
async fn works(running: &Running) -> Option<u64> {
    let health = running.client().get("/health/ready").await.json();
    let works = |provider: &Value| Some(provider["running"].as_u64()? + provider["waiting"].as_u64()?);
    health["providers"].as_array()?.iter().map(works).sum()
}

/// What is held once nothing runs, and what is held has not become less for some time.
async fn settled(site: &Site, running: &Running) -> Held {
    const UNCHANGED: usize = 40;
    idle(site, running).await;
    let (mut least, mut unchanged) = (Held::by(running), 0);
    while unchanged < UNCHANGED {
        tokio::time::sleep(LOOK).await;
        let held = Held::by(running).least(least);
        unchanged = if held == least { unchanged + 1 } else { 0 };
        least = held;
    }
    least
}

/// Waits until nothing runs, and no more is held than that.
async fn is_back(site: &Site, running: &Running, most: Held) -> Held {
    idle(site, running).await;
    let back = async {
        loop {
            let held = Held::by(running);
            if held.is_within(most) {
                return held;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let found = timeout(PATIENCE, back).await;
    found.unwrap_or_else(|_| unreachable!("{:?} is held, and {most:?} may be", Held::by(running)))
}

/// So many responses for so long, and as many again: the second half leaves nothing.
#[expect(clippy::print_stdout, reason = "what is held before and after is what the test shows")]
async fn nothing_is_kept(least: usize, time: Duration) {
    // What is free goes back to the system at once: what is held is what is used.
    let (_provider, site, running) = start("dirty_decay_ms:0,muzzy_decay_ms:0").await;
    let (begun, mut responses) = (Instant::now(), 0);
    while responses < least || begun.elapsed() < time {
        wave(&running).await;
        responses += AT_A_TIME * KINDS;
    }
    let before = settled(&site, &running).await;
    for _ in 0..responses / (AT_A_TIME * KINDS) {
        wave(&running).await;
    }
    let after = is_back(&site, &running, before.and(NOISE)).await;
    println!("{responses} responses, and as many again, in {:?}: {before:?} before, {after:?} after", begun.elapsed());
}

#[tokio::test]
async fn responses_and_connections_that_are_over_leave_nothing_behind() {
    nothing_is_kept(192, Duration::ZERO).await;
}

/// `LONG_LEAKS_MINUTES` is how long it goes on, about.
#[tokio::test]
async fn long_ten_thousand_responses_and_connections_leave_nothing_behind() {
    let minutes = env::var("LONG_LEAKS_MINUTES").map_or(60, |minutes| minutes.parse().unwrap());
    nothing_is_kept(10_000, Duration::from_secs(30 * minutes)).await;
}

/// With the allocator of the program, which gives memory back by itself.
#[cfg(feature = "jemalloc")]
#[tokio::test]
async fn long_the_memory_of_a_burst_of_large_answers_goes_back_to_the_system() {
    let (provider, site, running) = start("").await;
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
    let kept = Held { descriptors: 48, threads: 24, memory: 24 << 20 };
    is_back(&site, &running, before.and(kept)).await;
}
