//! The ledger, and how often the provider was asked.

use std::collections::BTreeMap;

use super::{Check, Findings};
use crate::plan::Visit;
use crate::record::{Row, Used};

impl Check {
    /// One record for each turn that a provider was asked for, whatever became of it; one run for each request.
    pub(super) fn check_ledger(
        &self,
        ledger: &BTreeMap<String, Vec<Used>>,
        rows: &BTreeMap<String, Row>,
        findings: &Findings,
    ) {
        let mut responses: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        let seen = self.witness.ids();
        let known = seen.iter().filter_map(|id| Some((id.as_str(), self.witness.seen(id)?.visit)));
        let found = findings.visits.iter().map(|(id, visit)| (id.as_str(), *visit));
        for (id, visit) in known.chain(found) {
            let ids = responses.entry(visit).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        for visit in &self.plan.visits {
            let ids = responses.get(&visit.number).map_or([].as_slice(), Vec::as_slice);
            self.check_runs(visit, ids, rows);
            let used = |id: &str| ledger.get(id).map_or(&[] as &[Used], Vec::as_slice);
            // Of several responses to one request, all but one of which gave their key back, the provider does not
            // say which it was asked for.
            if self.provider.calls(visit.number).begun > 0 && ids.iter().all(|id| used(id).is_empty()) {
                for id in ids {
                    let what = format!("{:?}, {:?}", self.provider.calls(visit.number), rows.get(*id));
                    self.violation("lost_from_the_ledger", id, &what);
                }
            }
            for id in ids {
                self.check_used(visit, id, used(id), rows.get(*id));
            }
        }
        let used = ledger.values().filter(|used| !used.is_empty()).count();
        if used < self.provider.prompts() {
            let what = format!("{} prompts reached the provider, {used} are in it", self.provider.prompts());
            self.violation("lost_from_the_ledger", "all", &what);
        }
    }

    fn check_runs(&self, visit: &Visit, ids: &[&str], rows: &BTreeMap<String, Row>) {
        // A run that failed with nothing to show for it gives its key back.
        let failed = |id: &&&str| rows.get(**id).is_some_and(|row| row.status == "failed");
        let given_back = if visit.keyed { ids.iter().filter(failed).count() } else { 0 };
        if ids.len() > 1 && ids.len() - given_back > 1 {
            self.violation("two_responses_for_one_request", ids.first().unwrap_or(&""), &format_args!("{ids:?}"));
        }
        let calls = self.provider.calls(visit.number).begun;
        // Nothing says whose a response is that is not stored: any request without success may have led to one that
        // failed and gave its key back.
        let unknown = if visit.keyed && !visit.form.store { self.witness.fruitless_requests(visit.number) } else { 0 };
        let runs = u32::try_from(ids.len().max(1)).unwrap_or(u32::MAX).saturating_add(unknown);
        if calls > visit.performance.stage.most_calls().saturating_mul(runs) {
            let what = format!("{calls} calls for {runs} responses");
            self.violation("asked_too_often", &format!("visit {}", visit.number), &what);
        }
    }

    fn check_used(&self, visit: &Visit, id: &str, used: &[Used], row: Option<&Row>) {
        let Some(record) = used.first() else { return };
        if used.len() > 1 || record.turn != 1 {
            self.violation("twice_in_the_ledger", id, &format_args!("{used:?}"));
        }
        // How it ended is not known of what was deleted.
        let Some(row) = row else { return };
        let (input, output) = visit.performance.usage(visit.number);
        let told = (i64::try_from(input), i64::try_from(output)) == (Ok(record.input), Ok(record.output));
        let reported = told && visit.performance.tells_usage();
        if !record.estimated && !reported {
            self.violation("not_the_providers_usage", id, &format_args!("{record:?}, {input} and {output} were told"));
        }
        if record.estimated && row.status == "completed" && visit.performance.tells_usage() {
            // The end came between the provider's last word and its report: a client left, or a server died.
            self.tally.count("reported_usage_lost");
        }
    }
}
