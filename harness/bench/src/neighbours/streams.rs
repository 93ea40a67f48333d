//! The two kinds of streams.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Case;
use crate::speaker::Speech;
use crate::stamp::Clock;
use crate::stream::{PATIENCE, Stream};
use crate::target::Target;
use crate::wire::Request;

/// A long answer: 900 KB.
const LONG: Speech = Speech { number: 0, deltas: 225, interval: Duration::ZERO, filling: 4_000, without_usage: false };
/// A short one, which a provider has said after four milliseconds.
const SHORT: Speech =
    Speech { number: 0, deltas: 5, interval: Duration::from_millis(1), filling: 0, without_usage: false };
/// The time between the beginnings of two short ones, whether or not the earlier ones have ended.
const EACH: Duration = Duration::from_millis(20);
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A short answer, from the writing of its request on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Short {
    pub(super) first: Duration,
    pub(super) total: Duration,
}

/// Asks for short answers at a steady pace until something is over, and waits for all of them.
pub(super) async fn short_ones_until<T>(
    target: &Target,
    clock: Clock,
    over: impl Future<Output = T>,
) -> anyhow::Result<(T, Vec<Short>)> {
    let request = target.request_of("bench", &SHORT.prompt());
    let (mut begun, mut answers) = (interval(EACH), JoinSet::new());
    begun.set_missed_tick_behavior(MissedTickBehavior::Burst);
    tokio::pin!(over);
    let result = loop {
        tokio::select! {
            result = &mut over => break result,
            _ = begun.tick() => {
                let request = request.clone();
                answers.spawn(async move { short(&request, clock).await });
            }
        }
    };
    let answers: Vec<_> = answers.join_all().await;
    Ok((result, answers.into_iter().collect::<anyhow::Result<_>>().context("a short answer")?))
}

async fn short(request: &Request, clock: Clock) -> anyhow::Result<Short> {
    let mut stream = Stream::open(request, clock).await?;
    let first = stream.next().await?.context("no delta")?.arrived;
    while stream.next().await?.is_some() {}
    let sent = stream.sent;
    Ok(Short { first: first.saturating_sub(sent), total: clock.now().saturating_sub(sent) })
}

/// Asks for all long answers at once, and waits for all of them.
pub(super) async fn long_ones(target: &Target, case: Case) -> anyhow::Result<()> {
    let speech = Speech { without_usage: case.without_usage, ..LONG };
    let request = target.request_of("neighbour", &speech.prompt());
    let mut answers = JoinSet::new();
    for _ in 0..case.long {
        let request = request.clone();
        answers.spawn(async move { long(&request).await });
    }
    answers.join_all().await.into_iter().collect()
}

/// Reads with as little work as can be, since the server has the same processors.
async fn long(request: &Request) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(request.address).await?;
    socket.write_all(&request.bytes).await?;
    let (mut bytes, mut last, mut all) = (Vec::with_capacity(64 * 1024), Vec::new(), 0);
    while timeout(PATIENCE, socket.read_buf(&mut bytes)).await.context("a silent stream")?? > 0 {
        all += bytes.len();
        last.extend_from_slice(&bytes[bytes.len().saturating_sub(LAST_CHUNK.len())..]);
        last.drain(..last.len().saturating_sub(LAST_CHUNK.len()));
        bytes.clear();
    }
    ensure!(last == LAST_CHUNK && all > LONG.deltas * LONG.filling, "a long answer ended early, after {all} bytes");
    Ok(())
}
