//! Whether all that clients were told is still so, and all that must be there is.

mod ledger;
mod rows;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::client::Http;
use crate::plan::{Plan, Visit};
use crate::provider::Provider;
use crate::record::{Record, Row};
use crate::tally::Tally;
use crate::witness::Witness;

/// How long after the last blow a response may be without an end. A server looks every half minute for what
/// earlier ones left behind.
const SETTLING: Duration = Duration::from_secs(45);
const PAUSE: Duration = Duration::from_millis(50);

/// What is compared.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) plan: Arc<Plan>,
    pub(crate) witness: Arc<Witness>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) provider: Arc<Provider>,
    pub(crate) http: Http,
    pub(crate) database: String,
}

/// What the servers say now.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// How many responses were accepted: those with a row, and those that clients knew and that are gone.
    pub(crate) responses: usize,
    /// Bytes of text that clients saw and that can't be read.
    pub(crate) lacking: u64,
    /// Whose visit each stored response is.
    visits: BTreeMap<String, u32>,
}

impl Check {
    /// Waits until every response has ended; those that don't are told.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLING;
        loop {
            let record = Record::open(&self.database).await?;
            let live = record.live().await?;
            record.close().await?;
            if live.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                for response in live {
                    self.witness.violation("without_an_end", &response, &format_args!("after {SETTLING:?}"));
                }
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    /// The rows as they are now.
    pub(crate) async fn rows(&self) -> anyhow::Result<BTreeMap<String, Row>> {
        let record = Record::open(&self.database).await?;
        let rows = record.responses().await?;
        record.close().await?;
        Ok(rows)
    }

    /// Compares everything; `earlier` is what the rows were before the servers' last end.
    pub(crate) async fn all(&self, earlier: &BTreeMap<String, Row>) -> anyhow::Result<Findings> {
        let rows = self.rows().await?;
        self.check_unchanged(earlier, &rows);
        let findings = Mutex::new(Findings::default());
        self.check_stored(&rows, &findings).await;
        let mut findings = findings.into_inner();
        let gone = self.witness.ids().iter().filter(|id| !rows.contains_key(*id)).count();
        findings.responses = rows.len() + gone;
        self.check_gone(&rows).await;
        self.check_record(&rows, &findings).await?;
        if self.tally.of("endings.completed ") == 0 {
            self.violation("nothing_was_tried", "all", &"no response was completed");
        }
        Ok(findings)
    }

    fn visit(&self, number: u32) -> Option<&Visit> {
        self.plan.visits.get(number as usize)
    }

    fn violation(&self, kind: &str, id: &str, what: &dyn std::fmt::Display) {
        self.witness.violation(kind, id, what);
    }
}
