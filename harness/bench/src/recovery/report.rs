//! What was left after the kills, for people and for programs.

use std::fmt::Write as _;

use serde_json::json;

use super::Seen;
use crate::Results;
use crate::statistics::Quantiles;

pub(super) fn results(all: &[Seen]) -> anyhow::Result<Results> {
    let rows: Vec<_> = all.iter().map(json).collect();
    let json = serde_json::to_string_pretty(&json!({ "what": "recovery", "rows": rows }))?;
    Ok(Results { table: table(all), json })
}

/// Times in microseconds.
fn json(seen: &Seen) -> serde_json::Value {
    json!({
        "streams": seen.streams,
        "listening": seen.listening.as_micros(),
        "ended": Quantiles::of(seen.ended.clone()),
        "seen_bytes": seen.seen_bytes,
        "lacking_bytes": seen.lacking_bytes,
        "first_delta_live": Quantiles::of(seen.live.clone()),
        "first_delta_ended": Quantiles::of(seen.resumed.clone()),
        "replay_megabytes_per_second": seen.replayed,
    })
}

fn table(all: &[Seen]) -> String {
    let mut table = String::from(
        "Times in ms: after the start, and after the request.\n\n\
         | streams | listening | ended p50 | p99 | max | bytes seen | lacking | first delta, live p50 | p99 | \
         ended p50 | p99 | replay MB/s |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for seen in all {
        let (ended, live) = (Quantiles::of(seen.ended.clone()), Quantiles::of(seen.live.clone()));
        let resumed = Quantiles::of(seen.resumed.clone());
        let ms = |micros: f64| format!("{:.1}", micros / 1e3);
        // Writing to a string can't fail.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0} |",
            seen.streams,
            seen.listening.as_millis(),
            ms(ended.p50),
            ms(ended.p99),
            ms(ended.max),
            seen.seen_bytes,
            seen.lacking_bytes,
            ms(live.p50),
            ms(live.p99),
            ms(resumed.p50),
            ms(resumed.p99),
            seen.replayed
        );
    }
    table
}
