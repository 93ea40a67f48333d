//! Kills servers at any instant while clients use them, and finds out whether anything that a client was told
//! became untrue, or anything that must be there is not.
//!
//! `cargo run --release -p antiphon-chaos -- --minutes 8 --seed 1 --database sqlite`. See `docs/chaos.md`.

mod check;
mod client;
mod cluster;
mod options;
mod performance;
mod plan;
mod provider;
mod random;
mod record;
mod run;
mod tally;
mod trouble;
mod verdict;
mod witness;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use cluster::{Site, binary};
use options::Options;
use run::Run;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // Whatever ends this, servers and database end with what holds them.
        tokio::select! {
            ended = chaos(&options) => ended,
            _ = interrupt.recv() => anyhow::bail!("interrupted"),
            _ = terminate.recv() => anyhow::bail!("terminated"),
        }
    })
}

#[expect(clippy::print_stdout, reason = "the verdict is what it is for")]
async fn chaos(options: &Options) -> anyhow::Result<ExitCode> {
    let binary = binary(options.binary.as_deref())?;
    let run = Run::new(options).await?;
    let site = Arc::new(Site::new(binary, options.database, run.shape.servers, run.provider.address).await?);
    let carried_out = run.carry_out(&site).await;
    if let Err(error) = &carried_out {
        run.witness.violation("given_up", "all", &format_args!("{error:#}"));
    }
    let verdict = verdict::verdict(options, (&run, &site), carried_out.ok());
    let text = serde_json::to_string_pretty(&verdict)?;
    println!("{text}");
    if let Some(path) = &options.json {
        std::fs::write(path, &text).context("the JSON can't be written")?;
    }
    if run.witness.violations().is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    site.write("verdict.json", &text)?;
    site.write("plan.txt", &format!("{:#?}", run.plan))?;
    let site = Arc::into_inner(site).context("a server is still there")?;
    progress(&format!("plan, logs and database are kept in {}", site.keep()?.display()));
    Ok(ExitCode::FAILURE)
}

#[expect(clippy::print_stderr, reason = "standard output is for the verdict")]
fn progress(text: &str) {
    eprintln!("{text}");
}
