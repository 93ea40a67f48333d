//! What is left of many live streams when their server is killed: how soon all of them have ended after its next
//! start, whether all that their clients saw is there, and how soon it can be read.

mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::{Clock as _, SystemClock};
use anyhow::{Context as _, ensure};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::options::Options;
use crate::speaker::{Speaker, Speech};
use crate::stamp::Clock;
use crate::stream::Stream;
use crate::target::Target;
use crate::wire::Request;
use crate::{Results, progress};

/// How long the streams run before the server is killed.
const RUNNING: Duration = Duration::from_secs(3);
/// Between two looks at the database.
const PAUSE: Duration = Duration::from_millis(5);
/// How many clients come back while everything still runs.
const COME_BACK: usize = 200;
/// What an answer begins with before its first delta: created, in progress, an item, a part.
const LAST_BEFORE_DELTAS: u64 = 3;
/// How often a long answer is read.
const REPLAYS: u32 = 10;

/// What was seen of one server.
#[derive(Debug)]
struct Seen {
    streams: usize,
    /// From the start after the kill until it listened.
    listening: Duration,
    /// ... until each response had ended.
    ended: Vec<Duration>,
    /// The bytes of text that clients saw.
    seen_bytes: usize,
    /// Those of them that can't be read.
    lacking_bytes: usize,
    /// From a request to go on until the first delta, while all streams run.
    live: Vec<Duration>,
    /// The same once they have ended.
    resumed: Vec<Duration>,
    /// Megabytes in a second of a long answer that is read once more.
    replayed: f64,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Results> {
    let mut all = Vec::new();
    for run in 1..=options.runs {
        for kind in options.kinds()? {
            for streams in options.streams() {
                progress(&format!("run {run}: {}, {streams} streams", kind.name()));
                let clock = Clock::start();
                let speaker = Speaker::start(clock).await?;
                let target = Target::start(options, kind, speaker.address)?;
                all.push(killed(target, streams, clock).await?);
            }
        }
    }
    report::results(&all)
}

/// A client's response, and how many deltas it has seen.
pub(crate) struct Live {
    id: String,
    seen: Arc<AtomicUsize>,
}

async fn killed(mut target: Target, streams: usize, clock: Clock) -> anyhow::Result<Seen> {
    let replayed = replay_speed(&target, clock).await?;
    let (live, mut clients) = open(&target, streams, clock).await.context("the streams")?;
    sleep(RUNNING).await;
    let mut back = Vec::new();
    for one in live.iter().take(COME_BACK) {
        back.push(first_delta(&target, &one.id, clock).await?.0);
    }
    let began_at = SystemClock.now().as_micros();
    let began = Instant::now();
    target.kill_and_start()?;
    let listening = began.elapsed();
    while clients.join_next().await.is_some() {}
    let url = format!("sqlite://{}?mode=ro", target.data().join("antiphon.db").display());
    let ended = interrupted_since(&url, began_at).await?;
    ensure!(ended.len() == streams, "{} of {streams} responses were interrupted", ended.len());
    let (mut resumed, mut seen_deltas, mut lacking) = (Vec::new(), 0, 0);
    for Live { id, seen } in &live {
        let (took, mut stream) = first_delta(&target, id, clock).await?;
        resumed.push(took);
        let mut stored = 1;
        while stream.next().await?.is_some() {
            stored += 1;
        }
        let seen = seen.load(Ordering::Relaxed);
        seen_deltas += seen;
        lacking += seen.saturating_sub(stored);
    }
    let bytes = crate::stamp::stamp(Duration::ZERO).len();
    let (seen_bytes, lacking_bytes) = (seen_deltas * bytes, lacking * bytes);
    Ok(Seen { streams, listening, ended, seen_bytes, lacking_bytes, live: back, resumed, replayed })
}

/// Opens streams whose clients read on until the connection is cut.
pub(crate) async fn open(target: &Target, streams: usize, clock: Clock) -> anyhow::Result<(Vec<Live>, JoinSet<()>)> {
    let (mut live, mut clients) = (Vec::new(), JoinSet::new());
    for number in 0..streams {
        let speech =
            Speech { number: number as u64, deltas: 36_000, interval: Duration::from_millis(200), ..Speech::default() };
        let mut stream = Stream::open(&target.request(&speech.prompt()), clock).await?;
        stream.next().await?.context("no delta")?;
        let (id, seen) = (stream.id.clone().context("no id")?, Arc::new(AtomicUsize::new(1)));
        live.push(Live { id, seen: Arc::clone(&seen) });
        clients.spawn(async move {
            while let Ok(Some(_)) = stream.next().await {
                seen.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    Ok((live, clients))
}

/// How long the first delta took of one who goes on where the deltas begin, and its stream.
async fn first_delta(target: &Target, id: &str, clock: Clock) -> anyhow::Result<(Duration, Stream)> {
    let path = format!("/v1/responses/{id}?stream=true&starting_after={LAST_BEFORE_DELTAS}");
    let mut stream = Stream::open(&Request::get(target.address, &path, &target.key), clock).await?;
    let delta = stream.next().await?.context("no delta")?;
    Ok((delta.arrived.saturating_sub(stream.sent), stream))
}

/// How long after that moment each response had ended that was interrupted, once all have ended.
pub(crate) async fn interrupted_since(url: &str, began_at: i64) -> anyhow::Result<Vec<Duration>> {
    let database = Database::connect(url).await?;
    while !times(&database, "SELECT created_at AS at FROM responses WHERE ended_at IS NULL").await?.is_empty() {
        sleep(PAUSE).await;
    }
    let ended = times(&database, "SELECT ended_at AS at FROM responses WHERE cause = 'server_interrupted'").await?;
    database.close().await?;
    Ok(ended.into_iter().map(|at| Duration::from_micros(u64::try_from(at - began_at).unwrap_or(0))).collect())
}

async fn times(database: &DatabaseConnection, sql: &str) -> anyhow::Result<Vec<i64>> {
    let rows = database.query_all_raw(Statement::from_string(database.get_database_backend(), sql)).await?;
    Ok(rows.iter().map(|row| row.try_get("", "at")).collect::<Result<_, _>>()?)
}

/// Megabytes of events in a second of a long answer, read as fast as it comes.
async fn replay_speed(target: &Target, clock: Clock) -> anyhow::Result<f64> {
    let speech = Speech { number: 0, deltas: 20_000, interval: Duration::ZERO, ..Speech::default() };
    let mut stream = Stream::open(&target.request(&speech.prompt()), clock).await?;
    while stream.next().await?.is_some() {}
    let id = stream.id.context("no id")?;
    let request = Request::get(target.address, &format!("/v1/responses/{id}?stream=true"), &target.key);
    let mut speeds = Vec::new();
    for _ in 0..REPLAYS {
        let mut socket = TcpStream::connect(request.address).await?;
        let began = Instant::now();
        socket.write_all(&request.bytes).await?;
        let (mut bytes, mut buffer) = (0, vec![0; 256 * 1024]);
        loop {
            match socket.read(&mut buffer).await? {
                0 => break,
                read => bytes += read,
            }
        }
        speeds.push(bytes as f64 / 1e6 / began.elapsed().as_secs_f64());
    }
    Ok(crate::statistics::median(speeds))
}
