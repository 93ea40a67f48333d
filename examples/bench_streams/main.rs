//! What one delta costs, from a provider's socket to a client's: in Antiphon, stored and not, and in nginx.
//!
//! `cargo build --release --bin antiphon`, then
//! `cargo run --release --example bench_streams -- --streams 1,100,1000`. See `docs/benchmarks.md`.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod clients;
mod measure;
mod node;
mod options;
mod proc;
mod report;
mod source;
mod target;

use anyhow::Context as _;
use clap::Parser as _;

use measure::measure;
use options::{Mode, Options, Pace};
use report::Row;
use source::Source;
use target::{Kind, Target};

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match options.mode {
        Some(Mode::Node { config, data }) => node::run(&config, &data),
        None => tokio::runtime::Runtime::new()?.block_on(bench(&options)),
    }
}

async fn bench(options: &Options) -> anyhow::Result<()> {
    let source = Source::start().await?;
    let mut rows = Vec::new();
    for run in 1..=options.runs {
        for kind in options.kinds() {
            for streams in &options.streams {
                eprint_progress(run, kind, *streams);
                rows.extend(both_paces(options, &source, kind, *streams).await?);
            }
        }
    }
    let rows = report::medians(&rows);
    print!("{}", report::table(&rows, options.runs));
    if let Some(path) = &options.json {
        std::fs::write(path, report::json(&rows, options.runs)?).context("the JSON can't be written")?;
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "standard output is for the table")]
fn eprint_progress(run: u32, kind: Kind, streams: usize) {
    eprintln!("run {run}: {}, {streams} streams", kind.name());
}

/// One server for both paces; every count of streams gets a fresh one, since memory is measured too.
async fn both_paces(options: &Options, source: &Source, kind: Kind, streams: usize) -> anyhow::Result<Vec<Row>> {
    let mut target = Target::start(options, kind, source.address())?;
    // Loads what is loaded once: the tokenizer, the statements, the pools.
    measure(&mut target, source, 2, Pace::Unpaced.plan(2)).await.context("the warm-up")?;
    let mut rows = Vec::new();
    for pace in [Pace::Paced, Pace::Unpaced] {
        rows.push(measure(&mut target, source, streams, pace.plan(streams)).await?);
    }
    Ok(rows)
}
