//! How soon the responses of a lost server had ended, for people and for programs.

use std::fmt::Write as _;

use serde_json::json;

use super::{LEASE, Seen};
use crate::Results;
use crate::statistics::Quantiles;

/// Times in microseconds.
pub(super) fn results(all: &[Seen]) -> anyhow::Result<Results> {
    let row = |seen: &Seen| json!({ "streams": seen.streams, "ended": Quantiles::of(seen.ended.clone()) });
    let rows: Vec<_> = all.iter().map(row).collect();
    let json = serde_json::to_string_pretty(&json!({ "what": "takeover", "lease_seconds": LEASE, "rows": rows }))?;
    Ok(Results { table: table(all), json })
}

fn table(all: &[Seen]) -> String {
    let mut table = format!(
        "Times in ms after the kill; the lease is {LEASE} s.\n\n| streams | ended p50 | p99 | max |\n|---:|---:|---:|---:|\n"
    );
    for seen in all {
        let ended = Quantiles::of(seen.ended.clone());
        let ms = |micros: f64| format!("{:.1}", micros / 1e3);
        // Writing to a string can't fail.
        let _ = writeln!(table, "| {} | {} | {} | {} |", seen.streams, ms(ended.p50), ms(ended.p99), ms(ended.max));
    }
    table
}
