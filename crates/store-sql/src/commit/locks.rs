//! The locks of a group, in the order of all locks, and what is known with them.

use std::collections::{HashMap, HashSet};

use sea_orm::DatabaseTransaction;

use super::Numbered;
use crate::{error::SqlError, idempotency_keys, idempotency_keys::KeyClaims, responses};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_protocol::ResponseId;
use antiphon_store::{AdmissionRecord, JournalEntry, ResponseRow};

/// What is known of a group's rows while they are locked.
#[derive(Debug, Default)]
pub(super) struct LockedRows {
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
    idempotency_keys::lock_of(transaction, group.iter().filter_map(|(_, entry)| changed_key(entry))).await?;
    let keys = idempotency_keys::claim(transaction, &admissions).await?;
    if !admissions.is_empty() {
        reach(FaultPoint::KeyClaimed);
    }
    let ids: HashSet<ResponseId> = group.iter().map(|(_, entry)| entry.response()).collect();
    let rows = responses::lock_rows(transaction, ids).await?;
    Ok(LockedRows { keys, rows: Some(rows) })
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
