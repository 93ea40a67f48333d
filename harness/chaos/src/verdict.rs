//! What a run found out, as JSON.

use serde_json::{Value, json};

use crate::check::Findings;
use crate::cluster::Site;
use crate::options::Options;
use crate::run::Run;

/// The verdict; without findings the run was given up.
pub(crate) fn verdict(options: &Options, (run, site): (&Run, &Site), findings: Option<Findings>) -> Value {
    let tally = &run.tally;
    let violations = run.witness.violations();
    json!({
        "seed": options.seed,
        "database": options.database.name(),
        "minutes": run.shape.duration.as_secs_f64() / 60.0,
        "servers": run.shape.servers,
        "responses": findings.as_ref().map(|findings| findings.responses),
        "told_to_clients": run.witness.ids().len(),
        "kills": tally.of("kills"),
        "stops": tally.of("stops"),
        "terminations": tally.of("terminations"),
        "disturbances": disturbances(run, site),
        "returns_to_calls_of_the_far_server": site.returns_to_calls(),
        "cancels": tally.of("cancels"),
        "cancelled": tally.of("cancelled"),
        "deletes": tally.of("deletes"),
        "deleted": tally.of("deleted"),
        "resumes": tally.of("resumes"),
        "drops": tally.of("drops"),
        "lost_streams": tally.of("lost_streams"),
        "second_readers": tally.of("second_readers"),
        "retries": tally.of("retries"),
        "misuses": tally.of("misuses"),
        "cut_provider_connections": tally.of("cuts"),
        "prompts_at_the_provider": run.provider.prompts(),
        "endings": tally.group("endings."),
        "unstored_endings": tally.group("unstored_endings."),
        "refusals": tally.group("refusals."),
        "error_events": tally.group("error_events."),
        "lost_connections": tally.group("lost."),
        "completed_with_a_lost_report_of_usage": tally.of("reported_usage_lost"),
        "bytes_seen_but_lacking": findings.as_ref().map(|findings| findings.lacking),
        "recovery_ms": run.recoveries.as_json(),
        "violations": violations,
        "verdict": if violations.is_empty() { "kept" } else { "broken" },
    })
}

/// What happened beside the blows.
fn disturbances(run: &Run, site: &Site) -> Value {
    let tally = &run.tally;
    json!({
        "outages": tally.of("outages"),
        "starts_without_the_database": tally.of("starts_without_the_database"),
        "changes_of_round_trips": tally.of("changes_of_round_trips"),
        "rotations": tally.of("rotations"),
        "deleted_users": tally.of("deleted_users"),
        "gone_with_their_users": tally.of("gone_with_their_users"),
        "stalled_logs": tally.of("stalled_logs"),
        "gaps_in_logs": site.gaps_in_logs(),
        "blocked_arbiters": tally.of("blocked_arbiters"),
        "hung_arbiters": tally.of("hung_arbiters"),
    })
}
