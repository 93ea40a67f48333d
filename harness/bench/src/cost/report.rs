//! The results, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::statistics::{by_what, median};

/// What one measurement found. Memory is in bytes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) server: &'static str,
    pub(crate) streams: usize,
    pub(crate) pace: &'static str,
    pub(crate) deltas: usize,
    pub(crate) deltas_per_second: f64,
    /// From the provider's socket to the client's.
    pub(crate) cpu_us_per_delta: f64,
    /// For all of a stream but its deltas: opening, admission, ending.
    pub(crate) cpu_us_per_stream: f64,
    /// What an open stream costs while nothing is said; only watched where it is paced.
    pub(crate) cpu_us_per_silent_second: Option<f64>,
    pub(crate) memory_empty: f64,
    /// Of a stream that has got all its deltas and is still open.
    pub(crate) memory_per_stream: f64,
    /// A second after the last stream has ended.
    pub(crate) memory_afterwards: f64,
    pub(crate) commits_per_second: Option<f64>,
    pub(crate) responses_per_commit: Option<f64>,
}

impl Row {
    fn what(&self) -> (&'static str, usize, &'static str) {
        (self.server, self.streams, self.pace)
    }
}

/// One row for those that measured the same: the median of every number.
pub(crate) fn medians(rows: &[Row]) -> Vec<Row> {
    by_what(rows, Row::what).iter().map(|(first, same)| median_row(first, same)).collect()
}

fn median_row(first: &Row, same: &[&Row]) -> Row {
    let of = |field: fn(&Row) -> f64| median(same.iter().map(|row| field(row)).collect());
    let if_any = |field: fn(&Row) -> Option<f64>| {
        let values: Vec<f64> = same.iter().filter_map(|row| field(row)).collect();
        (!values.is_empty()).then(|| median(values))
    };
    Row {
        deltas_per_second: of(|row| row.deltas_per_second),
        cpu_us_per_delta: of(|row| row.cpu_us_per_delta),
        cpu_us_per_stream: of(|row| row.cpu_us_per_stream),
        cpu_us_per_silent_second: if_any(|row| row.cpu_us_per_silent_second),
        memory_empty: of(|row| row.memory_empty),
        memory_per_stream: of(|row| row.memory_per_stream),
        memory_afterwards: of(|row| row.memory_afterwards),
        commits_per_second: if_any(|row| row.commits_per_second),
        responses_per_commit: if_any(|row| row.responses_per_commit),
        ..first.clone()
    }
}

/// How many times nginx's processor time a delta takes.
fn ratio(row: &Row, rows: &[Row]) -> Option<f64> {
    let same = |other: &&Row| other.server == "nginx" && other.streams == row.streams && other.pace == row.pace;
    rows.iter().find(same).map(|nginx| row.cpu_us_per_delta / nginx.cpu_us_per_delta)
}

pub(crate) fn table(rows: &[Row], runs: u32) -> String {
    let mut table = format!(
        "Medians of {runs} runs. CPU in us, memory in KiB (whole server: MiB).\n\n\
         | server | streams | pace | deltas/s | CPU/delta | x nginx | CPU/stream | CPU/silent s | KiB/stream | \
         MiB before | MiB after | commits/s | responses/commit |\n\
         |---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    for row in rows {
        // Writing to a string can't fail.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {:.0} | {:.1} | {} | {:.0} | {} | {:.1} | {:.1} | {:.1} | {} | {} |",
            row.server,
            row.streams,
            row.pace,
            row.deltas_per_second,
            row.cpu_us_per_delta,
            shown(ratio(row, rows)),
            row.cpu_us_per_stream,
            shown(row.cpu_us_per_silent_second),
            row.memory_per_stream / 1024.0,
            row.memory_empty / 1024.0 / 1024.0,
            row.memory_afterwards / 1024.0 / 1024.0,
            shown(row.commits_per_second),
            shown(row.responses_per_commit),
        );
    }
    table
}

pub(crate) fn json(rows: &[Row], runs: u32) -> serde_json::Result<String> {
    let ratios: Vec<serde_json::Value> = rows.iter().map(|row| ratio(row, rows).into()).collect();
    serde_json::to_string_pretty(&serde_json::json!({ "runs": runs, "rows": rows, "times_nginx": ratios }))
}
