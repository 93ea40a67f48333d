//! How late a short answer comes while many long ones are given, beside how late it comes without them. The two are at
//! different providers, so that nothing but the server is between them.

pub(crate) mod load;
mod report;
mod short;

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::options::Options;
use crate::speaker::Speaker;
use crate::stamp::Clock;
use crate::target::{Kind, Target};
use crate::wire::Request;
use crate::{Results, progress};
use load::Load;
use report::Row;
use short::{SHORT, Shorts, short_ones_until};

/// How long short answers are watched without others.
const ALONE: Duration = Duration::from_secs(4);

/// What is measured: a server of its own for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Case {
    /// How many long answers are asked for at the same time.
    long: usize,
    /// Whether the provider leaves the counting of tokens to the server.
    without_usage: bool,
}

/// What was seen of a server in all rounds.
#[derive(Debug, Default)]
struct Seen {
    alone: Shorts,
    beside: Shorts,
    /// How long it took until all long answers were there, and the server's processor time meanwhile.
    bursts: Vec<(Duration, Duration)>,
    /// In bytes: before the first burst, at the most, and a while after the last one.
    memory: [u64; 3],
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Results> {
    let clock = Clock::start();
    let mut rows = Vec::new();
    for run in 1..=options.runs {
        for kind in options.kinds()? {
            for long in options.streams() {
                for without_usage in [false, true] {
                    let case = Case { long, without_usage };
                    progress(&format!("run {run}: {}, {case:?}", kind.name()));
                    let mut site = Site::start(options, kind, clock).await?;
                    let seen = measure(&mut site, case, options).await?;
                    rows.push(Row::of(kind.name(), case, &seen));
                }
            }
        }
    }
    report::results(&rows, options)
}

/// A server between its two providers and their clients.
#[derive(Debug)]
struct Site {
    target: Target,
    load: Load,
    /// For a short answer: of the server, and of the provider itself.
    requests: [Request; 2],
    clock: Clock,
}

impl Site {
    async fn start(options: &Options, kind: Kind, clock: Clock) -> anyhow::Result<Self> {
        let (speaker, load) = (Speaker::start(clock).await?, Load::start().await?);
        let target = Target::start_between(options, kind, [speaker.address, load.address])?;
        let requests = [target.request(&SHORT.prompt()), Request::chat(speaker.address, &SHORT.prompt())];
        Ok(Self { target, load, requests, clock })
    }

    async fn long_ones(&mut self, case: Case) -> anyhow::Result<(Shorts, Duration)> {
        let (begun, clock) = (Instant::now(), self.clock);
        let burst = self.load.long_ones(&self.target, case);
        let (burst, beside) = short_ones_until(&self.requests, clock, burst).await?;
        burst.context("a long answer")?;
        Ok((beside, begun.elapsed()))
    }
}

async fn measure(site: &mut Site, case: Case, options: &Options) -> anyhow::Result<Seen> {
    // Loads what is loaded once: the tokenizer, the statements, the connections.
    site.long_ones(Case { long: 1, ..case }).await.context("the warm-up")?;
    let mut seen = Seen::default();
    let before = site.target.family.memory()?;
    for _ in 0..options.rounds {
        let ((), alone) = short_ones_until(&site.requests, site.clock, sleep(ALONE)).await?;
        seen.alone.extend(alone);
        let cpu = site.target.family.cpu()?;
        let (beside, took) = site.long_ones(case).await?;
        seen.bursts.push((took, site.target.family.cpu()?.since(&cpu)));
        seen.beside.extend(beside);
    }
    sleep(Duration::from_secs(options.settle)).await;
    site.target.check()?;
    seen.memory = [before, site.target.family.peak()?, site.target.family.memory()?];
    Ok(seen)
}
