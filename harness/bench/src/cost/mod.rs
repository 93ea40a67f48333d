//! What one delta costs, from a provider's socket to a client's: in Antiphon, stored and not, and in nginx.

mod clients;
mod measure;
mod plan;
mod report;
mod source;

use anyhow::Context as _;

use crate::options::Options;
use crate::{Results, progress};

use crate::target::{Kind, Target};
use measure::measure;
use plan::Pace;
use report::Row;
use source::Source;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Results> {
    let source = Source::start().await?;
    let mut rows = Vec::new();
    for run in 1..=options.runs {
        for kind in options.kinds()? {
            for streams in options.streams() {
                progress(&format!("run {run}: {}, {streams} streams", kind.name()));
                rows.extend(both_paces(options, &source, kind, streams).await?);
            }
        }
    }
    let rows = report::medians(&rows);
    Ok(Results { table: report::table(&rows, options.runs), json: report::json(&rows, options.runs)? })
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
