//! How late a short answer comes while many long ones are given, beside how late it comes without them. The two are at
//! different providers, so that nothing but the server is between them.

mod report;
mod streams;

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::options::Options;
use crate::speaker::Speaker;
use crate::stamp::Clock;
use crate::target::Target;
use crate::{Results, progress};
use report::Row;
use streams::{Short, long_ones, short_ones_until};

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
    alone: Vec<Short>,
    beside: Vec<Short>,
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
                    let speaker = Speaker::start(clock).await?;
                    let mut target = Target::start(options, kind, speaker.address)?;
                    let seen = measure(&mut target, case, options, clock).await?;
                    rows.push(Row::of(kind.name(), case, &seen));
                }
            }
        }
    }
    report::results(&rows, options)
}

async fn measure(target: &mut Target, case: Case, options: &Options, clock: Clock) -> anyhow::Result<Seen> {
    // Loads what is loaded once: the tokenizer, the statements, the connections.
    long_ones(target, Case { long: 1, ..case }).await.context("the warm-up")?;
    short_ones_until(target, clock, sleep(Duration::from_secs(1))).await?;
    let mut seen = Seen::default();
    let before = target.family.memory()?;
    for _ in 0..options.rounds {
        let ((), alone) = short_ones_until(target, clock, sleep(ALONE)).await?;
        seen.alone.extend(alone);
        let (begun, cpu) = (Instant::now(), target.family.cpu()?);
        let (burst, beside) = short_ones_until(target, clock, long_ones(target, case)).await?;
        burst.context("a long answer")?;
        seen.bursts.push((begun.elapsed(), target.family.cpu()?.since(&cpu)));
        seen.beside.extend(beside);
    }
    sleep(Duration::from_secs(options.settle)).await;
    target.check()?;
    seen.memory = [before, target.family.peak()?, target.family.memory()?];
    Ok(seen)
}
