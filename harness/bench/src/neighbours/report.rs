//! The times of short answers, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::short::Short;
use super::{Case, Seen};
use crate::Results;
use crate::options::Options;
use crate::statistics::{Quantiles, median};

/// What was seen of one server. Times of answers are in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    server: &'static str,
    long_answers: usize,
    reports_usage: bool,
    alone: Times,
    beside: Times,
    /// Of the provider itself, at the same moments.
    direct_alone: Times,
    direct_beside: Times,
    /// The medians of the rounds, in seconds.
    burst_seconds: f64,
    cpu_seconds: f64,
    memory_before: u64,
    memory_peak: u64,
    memory_after: u64,
}

/// Of the short answers.
#[derive(Debug, Serialize)]
struct Times {
    answers: usize,
    first: Quantiles<f64>,
    total: Quantiles<f64>,
}

impl Times {
    fn of(answers: &[Short]) -> Self {
        let quantiles = |time: fn(&Short) -> Duration| Quantiles::of(answers.iter().map(time).collect());
        Self { answers: answers.len(), first: quantiles(|short| short.first), total: quantiles(|short| short.total) }
    }
}

impl Row {
    pub(super) fn of(server: &'static str, case: Case, seen: &Seen) -> Self {
        let of_rounds = |part: fn(&(Duration, Duration)) -> Duration| {
            median(seen.bursts.iter().map(|b| part(b).as_secs_f64()).collect())
        };
        let [memory_before, memory_peak, memory_after] = seen.memory;
        Self {
            server,
            long_answers: case.long,
            reports_usage: !case.without_usage,
            alone: Times::of(&seen.alone.through_server),
            beside: Times::of(&seen.beside.through_server),
            direct_alone: Times::of(&seen.alone.direct),
            direct_beside: Times::of(&seen.beside.direct),
            burst_seconds: of_rounds(|burst| burst.0),
            cpu_seconds: of_rounds(|burst| burst.1),
            memory_before,
            memory_peak,
            memory_after,
        }
    }
}

/// A row for each server of each run: what is to be compared stands in the same row.
pub(super) fn results(rows: &[Row], options: &Options) -> anyhow::Result<Results> {
    let what = json!({ "what": "neighbours", "rounds": options.rounds, "settle": options.settle, "rows": rows });
    Ok(Results { table: table(rows, options.settle), json: serde_json::to_string_pretty(&what)? })
}

fn table(rows: &[Row], settle: u64) -> String {
    let mut table = format!(
        "Times of short answers in ms, alone -> beside the long ones; memory in MiB, the last one {settle} s after the last \
         round.\n\n\
         | server | long | usage | answers | direct p99 | first p50 | first p99 | x | total p50 | total p99 | x | max | burst s | CPU s | \
         before | peak | after |\n|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for row in rows {
        let (alone, beside) = (&row.alone, &row.beside);
        let ms = |times: (f64, f64)| format!("{:.1} -> {:.1}", times.0 / 1e3, times.1 / 1e3);
        let usage = if row.reports_usage { "reported" } else { "counted" };
        let mib = |bytes: u64| bytes >> 20;
        // Writing to a string can't fail.
        let _ = writeln!(
            table,
            "| {} | {} | {usage} | {} -> {} | {} | {} | {} | {:.1} | {} | {} | {:.1} | {} | {:.1} | {:.1} | {} | {} | {} |",
            row.server,
            row.long_answers,
            alone.answers,
            beside.answers,
            ms((row.direct_alone.total.p99, row.direct_beside.total.p99)),
            ms((alone.first.p50, beside.first.p50)),
            ms((alone.first.p99, beside.first.p99)),
            beside.first.p99 / alone.first.p99,
            ms((alone.total.p50, beside.total.p50)),
            ms((alone.total.p99, beside.total.p99)),
            beside.total.p99 / alone.total.p99,
            ms((alone.total.max, beside.total.max)),
            row.burst_seconds,
            row.cpu_seconds,
            mib(row.memory_before),
            mib(row.memory_peak),
            mib(row.memory_after),
        );
    }
    table
}
