//! What things take, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Seen;
use crate::Results;

pub(super) fn results(all: &[Seen]) -> anyhow::Result<Results> {
    let rows: Vec<Value> = all.iter().map(row).collect();
    let json = serde_json::to_string_pretty(&json!({ "what": "capacity", "rows": rows }))?;
    Ok(Results { table: table(all), json })
}

fn row(seen: &Seen) -> Value {
    let growths = seen.growths.iter().filter(|growth| growth.count > 0);
    let growths: Vec<Value> =
        growths.map(|it| json!({ "what": it.what, "count": it.count, "bytes": it.bytes })).collect();
    json!({
        "server": seen.server,
        "at_rest": seen.at_rest,
        "growths": growths,
        "responses_per_second": seen.responses_per_second,
        "cpu_ms_per_response": seen.cpu_ms_per_response,
    })
}

fn table(all: &[Seen]) -> String {
    let mut table = String::from("| server | what | count | KiB each |\n|---|---|---:|---:|\n");
    for Seen { server, at_rest, growths, .. } in all {
        // Writing to a string can't fail.
        let _ = writeln!(table, "| {server} | at rest | 1 | {} |", at_rest >> 10);
        for growth in growths.iter().filter(|growth| growth.count > 0) {
            let each = growth.bytes as f64 / 1024.0 / growth.count as f64;
            let _ = writeln!(table, "| {server} | {} | {} | {each:.1} |", growth.what, growth.count);
        }
    }
    table.push_str("\n| server | short responses a second | CPU ms each |\n|---|---:|---:|\n");
    for Seen { server, responses_per_second: rate, cpu_ms_per_response: cpu, .. } in all {
        let _ = writeln!(table, "| {server} | {rate:.0} | {cpu:.2} |");
    }
    table
}
