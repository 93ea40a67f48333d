//! The locks of a group, in the order of all locks, and what is known with them.

use std::collections::{HashMap, HashSet};

use sea_orm::DatabaseTransaction;

use super::Numbered;
use crate::{
    accounts::lock_present_users,
    error::SqlError,
    idempotency_keys::{self, KeyClaims},
    responses,
};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_protocol::{ResponseId, UserId};
use antiphon_store::{AdmissionContext, AdmissionDecision, AdmissionRecord, JournalEntry, ResponseRow};

/// What is known of a group's rows while they are locked.
#[derive(Debug, Default)]
pub(super) struct LockedRows {
    /// The users of new responses, those that are not being deleted.
    users: HashSet<UserId>,
    /// Which admissions have claimed their keys.
    pub(super) keys: KeyClaims,
    /// The rows of the group's responses, those that there are; none if only segments are appended.
    pub(super) rows: Option<HashMap<ResponseId, ResponseRow>>,
}

/// Locks what the group shares with other transactions, and claims its idempotency keys.
///
/// A key that a member of the group releases is therefore still taken. The response that claims it looks it up again.
pub(super) async fn lock(
    transaction: &DatabaseTransaction,
    group: &[Numbered<&JournalEntry>],
) -> Result<LockedRows, SqlError> {
    // The statement that appends locks by itself.
    let only_appends =
        |(_, entry): &Numbered<&JournalEntry>| matches!(entry, JournalEntry::Append(append) if !append.begins);
    if group.iter().all(only_appends) {
        return Ok(LockedRows::default());
    }
    let admissions: Vec<&AdmissionRecord> = group.iter().filter_map(|(_, entry)| admission(entry)).collect();
    let users =
        lock_present_users(transaction, admissions.iter().map(|admission| admission.row.user).collect::<HashSet<_>>())
            .await?;
    idempotency_keys::lock_of(transaction, group.iter().filter_map(|(_, entry)| changed_key(entry))).await?;
    let of_users = admissions.iter().copied().filter(|admission| users.contains(&admission.row.user));
    let keys = idempotency_keys::claim(transaction, &of_users.collect::<Vec<_>>()).await?;
    if !admissions.is_empty() {
        reach(FaultPoint::KeyClaimed);
    }
    let own = group.iter().map(|(_, entry)| entry.response());
    let previous = admissions.iter().filter_map(|admission| admission.row.previous);
    let rows = responses::lock_rows(transaction, own.chain(previous).collect::<HashSet<_>>()).await?;
    Ok(LockedRows { users, keys, rows: Some(rows) })
}

impl LockedRows {
    pub(super) fn row(&self, id: ResponseId) -> Option<&ResponseRow> {
        self.rows.as_ref()?.get(&id)
    }

    pub(super) fn rows_mut(&mut self) -> &mut HashMap<ResponseId, ResponseRow> {
        self.rows.get_or_insert_default()
    }

    pub(super) fn decide(&self, admission: &AdmissionRecord) -> AdmissionDecision {
        let row = &admission.row;
        admission.decide(&AdmissionContext {
            row: self.row(row.id),
            key: self.keys.state_for(admission),
            has_user: self.users.contains(&row.user),
            has_previous: row.previous.is_none_or(|previous| self.row(previous).is_some()),
        })
    }
}

fn admission<'a>(entry: &&'a JournalEntry) -> Option<&'a AdmissionRecord> {
    match entry {
        JournalEntry::Admit(admission) => Some(admission),
        JournalEntry::Append(_) | JournalEntry::End(_) | JournalEntry::Claim(_) | JournalEntry::Delete(_) => None,
    }
}

/// The response whose idempotency key the entry changes, if it has one.
fn changed_key(entry: &JournalEntry) -> Option<ResponseId> {
    match entry {
        JournalEntry::End(ending) => ending.releases_key.then_some(ending.id),
        JournalEntry::Delete(id) => Some(*id),
        JournalEntry::Admit(_) | JournalEntry::Append(_) | JournalEntry::Claim(_) => None,
    }
}
