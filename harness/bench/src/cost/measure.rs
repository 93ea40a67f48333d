//! One measurement: all streams open, all deltas, all streams end.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use super::clients::Clients;
use super::plan::{Pace, Plan};
use super::report::Row;
use super::source::{Source, Stage};
use crate::target::Target;

/// How long open streams are watched while nothing is said.
const SILENCE: Duration = Duration::from_secs(2);
/// What every response is asked for.
const PROMPT: &str = "Say something.";
/// How long after the last stream memory is looked at again.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// Only the deltas count for their cost: the processor time is taken once every stream is open and has its
/// first delta, and again when every client has its last.
pub(crate) async fn measure(target: &mut Target, source: &Source, streams: usize, plan: Plan) -> anyhow::Result<Row> {
    source.prepare(plan);
    let (empty, at_first) = (target.family.memory()?, target.family.cpu()?);
    let mut clients = Clients::open(streams, &target.request(PROMPT));
    clients.wait_for(streams).await.context("opening")?;
    let silent_cpu = silence(target, plan).await?;
    let before = (target.family.cpu()?, target.commits()?);
    let begun = Instant::now();
    source.go_on(Stage::Deltas(begun));
    clients.wait_for(streams * (plan.deltas + 1)).await?;
    let elapsed = begun.elapsed();
    let after = (target.family.cpu()?, target.commits()?);
    let open = target.family.memory()?;
    source.go_on(Stage::End);
    clients.wait_for_ends().await?;
    let at_last = target.family.cpu()?;
    sleep(AFTERWARDS).await;
    target.check()?;
    let deltas = streams * plan.deltas;
    let cpu = after.0.since(&before.0);
    let around = at_last.since(&at_first).saturating_sub(cpu).saturating_sub(silent_cpu);
    let commits = before.1.zip(after.1).map(|(before, after)| (after.0 - before.0, after.1 - before.1));
    Ok(Row {
        server: target.kind.name(),
        streams,
        pace: plan.pace.name(),
        deltas,
        deltas_per_second: deltas as f64 / elapsed.as_secs_f64(),
        cpu_us_per_delta: micros(cpu) / deltas as f64,
        cpu_us_per_stream: micros(around) / streams as f64,
        cpu_us_per_silent_second: (plan.pace == Pace::Paced)
            .then(|| micros(silent_cpu) / SILENCE.as_secs_f64() / streams as f64),
        memory_empty: empty as f64,
        memory_per_stream: (open as f64 - empty as f64) / streams as f64,
        memory_afterwards: target.family.memory()? as f64,
        commits_per_second: commits.map(|(commits, _)| commits as f64 / elapsed.as_secs_f64()),
        responses_per_commit: commits.map(|(commits, entries)| entries as f64 / commits.max(1) as f64),
    })
}

async fn silence(target: &Target, plan: Plan) -> anyhow::Result<Duration> {
    if plan.pace == Pace::Unpaced {
        return Ok(Duration::ZERO);
    }
    let before = target.family.cpu()?;
    sleep(SILENCE).await;
    Ok(target.family.cpu()?.since(&before))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
