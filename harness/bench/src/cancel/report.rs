//! The times of the cancels, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use super::Seen;
use crate::Results;
use crate::statistics::{Quantiles, Spread, by_what};

/// What was seen of one way to stop, in one run or in all of them. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row<N> {
    way: &'static str,
    /// How many other streams were running.
    others: usize,
    cancels: usize,
    /// How much of the machine's processors was in use, in percent, the provider and the clients included.
    busy: N,
    /// Until the provider saw its socket closed.
    closed: Quantiles<N>,
    /// Until the answer was there, where there is one.
    answered: Option<Quantiles<N>>,
}

/// Of one run.
pub(super) fn rows(seen: Seen, server: &'static str, others: usize, busy: f64) -> [Row<f64>; 2] {
    let cancels = seen.closed.len();
    let (closed, answered) = (Quantiles::of(seen.closed), Some(Quantiles::of(seen.answered)));
    let direct = Quantiles::of(seen.direct);
    [
        Row { way: "direct", others, cancels, busy, closed: direct, answered: None },
        Row { way: server, others, cancels, busy, closed, answered },
    ]
}

/// One row for those that measured the same.
fn over_runs((first, same): &(&Row<f64>, Vec<&Row<f64>>)) -> Row<Spread> {
    let answered: Option<Vec<_>> = same.iter().map(|row| row.answered).collect();
    Row {
        way: first.way,
        others: first.others,
        cancels: first.cancels,
        busy: Spread::of(same.iter().map(|row| row.busy).collect()),
        closed: Quantiles::spread(&same.iter().map(|row| row.closed).collect::<Vec<_>>()),
        answered: answered.map(|runs| Quantiles::spread(&runs)),
    }
}

/// Of all runs.
pub(super) fn results(rows: &[Row<f64>], runs: u32) -> anyhow::Result<Results> {
    let rows: Vec<Row<Spread>> = by_what(rows, |row| (row.way, row.others)).iter().map(over_runs).collect();
    let json = serde_json::to_string_pretty(&json!({ "what": "cancel", "runs": runs, "rows": rows }))?;
    Ok(Results { table: table(&rows, runs), json })
}

fn table(rows: &[Row<Spread>], runs: u32) -> String {
    let mut table = format!(
        "Medians of {runs} runs (lowest-highest). Times in us, busy in % of all processors.\n\n\
         | server | other streams | busy | cancels | closed p50 | closed p99 | closed max | answered p50 | \
         answered p99 | answered max |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for row in rows {
        let (way, others, cancels) = (row.way, row.others, row.cancels);
        let (closed, answered) = (three(Some(row.closed)), three(row.answered));
        // Writing to a string can't fail.
        let _ = writeln!(table, "| {way} | {others} | {} | {cancels} | {closed} | {answered} |", row.busy);
    }
    table
}

/// Three cells.
fn three(times: Option<Quantiles<Spread>>) -> String {
    let shown = |times: Quantiles<Spread>| format!("{} | {} | {}", times.p50, times.p99, times.max);
    times.map_or_else(|| "- | - | -".to_owned(), shown)
}
