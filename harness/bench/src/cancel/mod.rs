//! How soon the provider's socket is closed when a response is cancelled, beside a client that closes it itself.

mod caller;
mod report;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::options::Options;
use crate::proc::Machine;
use crate::speaker::{Speaker, Speech};
use crate::stamp::Clock;
use crate::stream::{PATIENCE, Stream};
use crate::target::Target;
use crate::wire::Request;
use crate::{Results, progress};
use caller::Caller;
use report::Row;

/// The number of those that are not cancelled.
const OTHERS: u64 = 0;
/// How many cancels are not counted.
const WARM_UP: u32 = 5;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Results> {
    let clock = Clock::start();
    let mut rows = Vec::new();
    for run in 1..=options.runs {
        for kind in options.kinds()? {
            for others in options.streams() {
                progress(&format!("run {run}: {}, {others} others", kind.name()));
                let mut speaker = Speaker::start(clock).await?;
                let mut target = Target::start(options, kind, speaker.address)?;
                rows.extend(among_others(&mut target, &mut speaker, (others, options.cancels), clock).await?);
            }
        }
    }
    report::results(&rows, options.runs)
}

/// What was seen of the cancelled ones.
#[derive(Debug, Default)]
struct Seen {
    /// From the sending of the request to cancel until the provider saw its socket closed.
    closed: Vec<Duration>,
    /// ... until the answer was there.
    answered: Vec<Duration>,
    /// From the closing of the client's own socket to the provider until that saw it.
    direct: Vec<Duration>,
}

async fn among_others(
    target: &mut Target,
    speaker: &mut Speaker,
    (others, cancels): (usize, u32),
    clock: Clock,
) -> anyhow::Result<[Row<f64>; 2]> {
    let mut running = open_others(target, others, clock).await.context("the other streams")?;
    let mut caller = Caller::connect(target).await?;
    let (mut seen, mut machine) = (Seen::default(), Machine::look()?);
    for number in 1..=u64::from(WARM_UP + cancels) {
        if number == u64::from(WARM_UP) + 1 {
            (seen, machine) = (Seen::default(), Machine::look()?);
        }
        cancel(target, &mut caller, speaker, (number, clock), &mut seen).await?;
        close(speaker, (number, clock), &mut seen).await?;
    }
    let busy = 100.0 * Machine::look()?.busy_since(&machine);
    ensure!(running.try_join_next().is_none(), "another stream has ended");
    target.check()?;
    Ok(report::rows(seen, target.kind.name(), others, busy))
}

/// Streams that go on until this is dropped.
async fn open_others(target: &Target, others: usize, clock: Clock) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
    let speech = Speech { number: OTHERS, deltas: 36_000, interval: Duration::from_millis(100), ..Speech::default() };
    let request = target.request(&speech.prompt());
    let mut running = JoinSet::new();
    for _ in 0..others {
        let mut stream = begin(&request, clock).await?;
        running.spawn(async move {
            while stream.next().await?.is_some() {}
            Ok(())
        });
    }
    Ok(running)
}

/// Opens a stream, and gives it back with its first delta read.
async fn begin(request: &Request, clock: Clock) -> anyhow::Result<Stream> {
    let mut stream = Stream::open(request, clock).await?;
    stream.next().await?.context("no delta")?;
    Ok(stream)
}

/// A stream that speaks longer than anybody listens.
fn speech(number: u64) -> Speech {
    Speech { number, deltas: 5_000, interval: Duration::from_millis(20), ..Speech::default() }
}

async fn cancel(
    target: &Target,
    caller: &mut Caller,
    speaker: &mut Speaker,
    (number, clock): (u64, Clock),
    seen: &mut Seen,
) -> anyhow::Result<()> {
    let mut stream = begin(&target.request(&speech(number).prompt()), clock).await?;
    let id = stream.id.clone().context("no id")?;
    let sent = clock.now();
    caller.cancel(&id).await?;
    let answered = clock.now();
    let closed = closing(speaker, number).await?;
    seen.closed.push(closed.saturating_sub(sent));
    seen.answered.push(answered.saturating_sub(sent));
    while stream.next().await?.is_some() {}
    Ok(())
}

async fn close(speaker: &mut Speaker, (number, clock): (u64, Clock), seen: &mut Seen) -> anyhow::Result<()> {
    let stream = begin(&Request::chat(speaker.address, &speech(number).prompt()), clock).await?;
    let sent = clock.now();
    drop(stream);
    let closed = closing(speaker, number).await?;
    seen.direct.push(closed.saturating_sub(sent));
    Ok(())
}

/// When the provider saw its socket closed.
async fn closing(speaker: &mut Speaker, number: u64) -> anyhow::Result<Duration> {
    let closed = timeout(PATIENCE, speaker.closed.recv()).await.context("a socket that is not closed")?;
    let closed = closed.context("the provider has ended")?;
    ensure!(closed.number == number, "another socket was closed");
    Ok(closed.at)
}
