//! What streaming through Antiphon takes: processor time and memory, time until a delta arrives, time until a
//! cancelled response's provider is let go, time until all is settled after a crash, by the same server or another, time
//! to read a provider's delta, and what many long answers do to short ones.
//!
//! `cargo build --release --bin antiphon`, then `cargo run --release -p antiphon-bench -- --what latency`.
//! See `docs/benchmarks.md`.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod cancel;
mod capacity;
mod cost;
mod decode;
mod latency;
mod lines;
mod neighbours;
mod node;
mod options;
mod proc;
mod recovery;
mod speaker;
mod stamp;
mod statistics;
mod stream;
mod takeover;
mod target;
mod wire;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::runtime::Runtime;

use options::{Mode, Options, What};

/// What is printed, and what is written to a file if one is asked for.
#[derive(Debug)]
struct Results {
    table: String,
    json: String,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match &options.mode {
        Some(Mode::Node { config, data }) => node::run(config, data),
        Some(Mode::NeighboursLoad) => Runtime::new()?.block_on(neighbours::load::run()),
        None => runtime(options.what)?.block_on(bench(&options)),
    }
}

fn runtime(what: What) -> std::io::Result<Runtime> {
    match what {
        // What one thread does is what is measured.
        What::Decode => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        What::Cost
        | What::Latency
        | What::Cancel
        | What::Recovery
        | What::Takeover
        | What::Neighbours
        | What::Capacity => Runtime::new(),
    }
}

async fn bench(options: &Options) -> anyhow::Result<()> {
    let results = match options.what {
        What::Cost => cost::run(options).await?,
        What::Latency => latency::run(options).await?,
        What::Cancel => cancel::run(options).await?,
        What::Recovery => recovery::run(options).await?,
        What::Takeover => takeover::run(options).await?,
        What::Decode => decode::run().await?,
        What::Neighbours => neighbours::run(options).await?,
        What::Capacity => capacity::run(options).await?,
    };
    print!("{}", results.table);
    if let Some(path) = &options.json {
        std::fs::write(path, results.json).context("the JSON can't be written")?;
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "standard output is for the table")]
fn progress(text: &str) {
    eprintln!("{text}");
}
