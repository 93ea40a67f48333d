//! The latencies, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use super::Path;
use crate::Results;
use crate::statistics::{Quantiles, Spread, by_what};

/// What was seen of one server, in one run or in all of them. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row<N> {
    server: &'static str,
    streams: usize,
    /// How many first deltas were seen in a run.
    firsts: usize,
    /// How many others were.
    later: usize,
    deltas_per_second: N,
    /// How much of the machine's processors was in use, in percent, the provider and the clients included.
    busy: N,
    /// From the request to the first delta.
    first: Quantiles<N>,
    /// From the provider's writing of another delta to its arrival.
    delta: Quantiles<N>,
    /// How much more these are than in the same run without a server between.
    added_to_first: Option<Quantiles<N>>,
    added_to_delta: Option<Quantiles<N>>,
}

/// Of one run. What a server adds is told by the first of them, which has none in between.
pub(super) fn rows(paths: Vec<Path>, streams: usize) -> Vec<Row<f64>> {
    let mut rows: Vec<Row<f64>> = paths.into_iter().map(|path| row(path, streams)).collect();
    if let Some((direct, through)) = rows.split_first_mut() {
        for row in through {
            row.added_to_first = Some(row.first.above(direct.first));
            row.added_to_delta = Some(row.delta.above(direct.delta));
        }
    }
    rows
}

/// The name of the way without a server.
pub(super) const DIRECT: &str = "direct";

fn row(Path { name, seen, .. }: Path, streams: usize) -> Row<f64> {
    let (firsts, later) = (seen.first.len(), seen.later.len());
    Row {
        server: name,
        streams,
        firsts,
        later,
        deltas_per_second: (firsts + later) as f64 / seen.elapsed.as_secs_f64(),
        busy: 100.0 * seen.busy.iter().sum::<f64>() / seen.busy.len() as f64,
        first: Quantiles::of(seen.first),
        delta: Quantiles::of(seen.later),
        added_to_first: None,
        added_to_delta: None,
    }
}

/// One row for those that measured the same.
fn over_runs((first, same): &(&Row<f64>, Vec<&Row<f64>>)) -> Row<Spread> {
    let number = |field: fn(&Row<f64>) -> f64| Spread::of(same.iter().map(|row| field(row)).collect());
    let times = |field: fn(&Row<f64>) -> Quantiles<f64>| {
        Quantiles::spread(&same.iter().map(|row| field(row)).collect::<Vec<_>>())
    };
    let added = |field: fn(&Row<f64>) -> Option<Quantiles<f64>>| {
        let runs: Option<Vec<_>> = same.iter().map(|row| field(row)).collect();
        runs.map(|runs| Quantiles::spread(&runs))
    };
    Row {
        server: first.server,
        streams: first.streams,
        firsts: first.firsts,
        later: first.later,
        deltas_per_second: number(|row| row.deltas_per_second),
        busy: number(|row| row.busy),
        first: times(|row| row.first),
        delta: times(|row| row.delta),
        added_to_first: added(|row| row.added_to_first),
        added_to_delta: added(|row| row.added_to_delta),
    }
}

/// Of all runs.
pub(super) fn results(rows: &[Row<f64>], runs: u32) -> anyhow::Result<Results> {
    let rows: Vec<Row<Spread>> = by_what(rows, |row| (row.server, row.streams)).iter().map(over_runs).collect();
    let json = serde_json::to_string_pretty(&json!({ "what": "latency", "runs": runs, "rows": rows }))?;
    Ok(Results { table: table(&rows, runs), json })
}

fn table(rows: &[Row<Spread>], runs: u32) -> String {
    let mut table = format!(
        "Medians of {runs} runs (lowest-highest). Times in us, busy in % of all processors.\n\n\
         | server | streams | deltas/s | busy | first deltas | first p50 | first p99 | added p50 | added p99 | \
         deltas | delta p50 | delta p99 | added p50 | added p99 |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for row in rows {
        // Writing to a string can't fail.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.server,
            row.streams,
            row.deltas_per_second,
            row.busy,
            row.firsts,
            two(Some(row.first)),
            two(row.added_to_first),
            row.later,
            two(Some(row.delta)),
            two(row.added_to_delta),
        );
    }
    table
}

/// Two cells.
fn two(times: Option<Quantiles<Spread>>) -> String {
    times.map_or_else(|| "- | -".to_owned(), |times| format!("{} | {}", times.p50, times.p99))
}
