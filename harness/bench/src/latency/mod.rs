//! How late deltas come through Antiphon, beside the same client that reads the provider itself.

mod plan;
mod report;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::options::Options;
use crate::proc::Machine;
use crate::speaker::Speaker;
use crate::stamp::Clock;
use crate::stream::Stream;
use crate::target::Target;
use crate::wire::Request;
use crate::{Results, progress};
use plan::Plan;
use report::Row;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Results> {
    let clock = Clock::start();
    let speaker = Speaker::start(clock).await?;
    let mut rows = Vec::new();
    for run in 1..=options.runs {
        for streams in options.streams() {
            progress(&format!("run {run}: {streams} streams"));
            rows.extend(side_by_side(options, &speaker, Plan::of(streams), clock).await?);
        }
    }
    report::results(&rows, options.runs)
}

/// A way from the provider to the client, and what was seen of it.
#[derive(Debug)]
struct Path {
    name: &'static str,
    request: Request,
    seen: Seen,
}

/// The times of some streams.
#[derive(Debug, Default)]
struct Seen {
    /// From the request to the first delta.
    first: Vec<Duration>,
    /// From the provider's writing of another delta to its arrival.
    later: Vec<Duration>,
    /// How long it took to see these.
    elapsed: Duration,
    /// Which part of the time the machine's processors worked, in every round.
    busy: Vec<f64>,
}

/// All of them in turns, so that what changes on the machine meets them alike.
async fn side_by_side(options: &Options, speaker: &Speaker, plan: Plan, clock: Clock) -> anyhow::Result<Vec<Row<f64>>> {
    let mut targets = Vec::new();
    for kind in options.kinds()? {
        targets.push(Target::start(options, kind, speaker.address)?);
    }
    let prompt = plan.speech.prompt();
    let direct = Path { name: report::DIRECT, request: Request::chat(speaker.address, &prompt), seen: Seen::default() };
    let through =
        |target: &Target| Path { name: target.kind.name(), request: target.request(&prompt), seen: Seen::default() };
    let mut paths: Vec<Path> = std::iter::once(direct).chain(targets.iter().map(through)).collect();
    for path in &paths {
        // Loads what is loaded once, and opens the connections to the provider that are kept.
        round(path, plan.warm_up(), clock).await.with_context(|| format!("the warm-up, {}", path.name))?;
    }
    for turn in 0..options.rounds {
        let mut in_turn: Vec<&mut Path> = paths.iter_mut().collect();
        if turn % 2 == 1 {
            in_turn.reverse();
        }
        for path in in_turn {
            let seen = round(path, plan, clock).await.context(path.name)?;
            path.seen.add(seen);
        }
    }
    targets.iter_mut().try_for_each(Target::check)?;
    Ok(report::rows(paths, plan.streams))
}

/// A number of clients; each reads one stream after the other.
async fn round(path: &Path, plan: Plan, clock: Clock) -> anyhow::Result<Seen> {
    let (machine, begun) = (Machine::look()?, Instant::now());
    let mut clients = JoinSet::new();
    for number in 0..plan.streams {
        clients.spawn(read(path.request.clone(), plan, begun + plan.out_of_step(number), clock));
    }
    let mut seen = Seen::default();
    while let Some(client) = clients.join_next().await {
        seen.add(client??);
    }
    seen.elapsed = begun.elapsed();
    seen.busy.push(Machine::look()?.busy_since(&machine));
    Ok(seen)
}

async fn read(request: Request, plan: Plan, begin: Instant, clock: Clock) -> anyhow::Result<Seen> {
    sleep_until(begin).await;
    let mut seen = Seen::default();
    for _ in 0..plan.after_each_other {
        let mut stream = Stream::open(&request, clock).await?;
        let first = stream.next().await?.context("a stream without a delta")?;
        seen.first.push(first.arrived.saturating_sub(stream.sent));
        let mut deltas = 1;
        while let Some(delta) = stream.next().await? {
            seen.later.push(delta.took());
            deltas += 1;
        }
        ensure!(deltas == plan.speech.deltas, "{deltas} deltas arrived instead of {}", plan.speech.deltas);
    }
    Ok(seen)
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.first.extend(other.first);
        self.later.extend(other.later);
        self.elapsed += other.elapsed;
        self.busy.extend(other.busy);
    }
}
