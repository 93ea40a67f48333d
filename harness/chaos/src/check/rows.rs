//! The rows: those that must be there, those that must not, and that none has changed.

use std::collections::BTreeMap;

use reqwest::Method;

use super::{Check, Findings};
use crate::client::{Answer, send};
use crate::record::{Record, Row};
use crate::witness::Deletion;

impl Check {
    /// What has ended stays as it is, also when the servers start again.
    pub(super) fn check_unchanged(&self, earlier: &BTreeMap<String, Row>, rows: &BTreeMap<String, Row>) {
        for (id, row) in earlier {
            if rows.get(id) != Some(row) {
                self.violation("a_row_changed", id, &format_args!("{row:?} and now {:?}", rows.get(id)));
            }
        }
    }

    /// Responses that clients know and the record does not.
    pub(super) async fn check_gone(&self, rows: &BTreeMap<String, Row>) {
        for id in self.witness.ids() {
            let seen = self.witness.seen(&id).unwrap_or_default();
            let visit = self.visit(seen.visit);
            let stored = visit.is_some_and(|visit| visit.form.store);
            let user = visit.and_then(|visit| visit.user).map(|user| self.witness.user_deletion(user));
            match rows.get(&id) {
                Some(row) if user == Some(Deletion::Done) => {
                    self.violation("of_a_deleted_user", &id, &format_args!("{row:?}"));
                }
                None if user.is_some_and(|deletion| deletion >= Deletion::Asked) => {
                    self.tally.count("gone_with_their_users");
                }
                Some(row) if row.stored == stored && stored => continue,
                Some(row) if row.stored == stored => {
                    self.check_unstored(&id, row, seen.ended.map(|ended| ended.status))
                }
                Some(_) => self.violation("stored_or_not", &id, &"not as it was asked for"),
                None if stored && seen.deletion >= Deletion::Asked => self.tally.count("gone"),
                None => self.violation("accepted_and_lost", &id, &"there is no row"),
            }
            for path in [format!("/{id}"), format!("/{id}?stream=true"), format!("/{id}/input_items")] {
                match send(self.http.request(0, Method::GET, &path)).await {
                    Ok(Answer::Whole(404, _)) => {}
                    other => self.violation("gone_and_readable", &id, &format_args!("{path}: {other:?}")),
                }
            }
        }
    }

    /// A response that is not stored has ended as its client was told.
    fn check_unstored(&self, id: &str, row: &Row, told: Option<String>) {
        self.tally.count(&format!("unstored_endings.{} {}", row.status, row.cause.as_deref().unwrap_or_default()));
        if told.as_ref().is_some_and(|told| *told != row.status) {
            self.violation("another_end", id, &format_args!("{told:?} was told, {row:?} is there"));
        }
    }

    /// What the servers do not tell.
    pub(super) async fn check_record(&self, rows: &BTreeMap<String, Row>, findings: &Findings) -> anyhow::Result<()> {
        let record = Record::open(&self.database).await?;
        for id in record.content_of_unstored().await? {
            self.violation("content_of_an_unstored_response", &id, &"items, segments or text");
        }
        for id in record.of_nobody().await? {
            self.violation("of_a_deleted_user", &id, &"the user is gone, and the response is there");
        }
        let orphans = record.orphans().await?;
        if orphans > 0 {
            self.violation("parts_of_nothing", "all", &orphans);
        }
        for (id, row) in rows {
            let terminal = matches!(row.status.as_str(), "completed" | "failed" | "incomplete" | "cancelled");
            if terminal != row.ended_at.is_some() || !terminal {
                self.violation("a_row_without_its_end", id, &format_args!("{row:?}"));
            }
        }
        self.check_ledger(&record.ledger().await?, rows, findings);
        record.close().await
    }
}
