//! Group commit: many entries, one transaction.
//!
//! No statement of a group may fail in regular operation, because PostgreSQL would abort the whole transaction:
//! inserts do nothing where they conflict, and the count of rows says what happened.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{SqlStore, connect::Pools, error::SqlError, responses};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_protocol::ResponseId;
use antiphon_store::{CommitOutcome, Error, GroupCommit, JournalEntry};

/// An entry, or its outcome, with its position in the group.
pub(super) type Numbered<T> = (usize, T);

#[async_trait]
impl GroupCommit for SqlStore {
    async fn commit(&self, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, Error> {
        let group = group.to_vec();
        self.call("commit", |pools| async move { commit(&pools, &group).await }).await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.call("ping", |pools| async move { Ok(pools.read.ping().await?) }).await
    }
}

async fn commit(pools: &Pools, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, SqlError> {
    if group.is_empty() {
        return Ok(Vec::new());
    }
    let transaction = pools.begin().await?;
    reach(FaultPoint::TransactionBegun);
    let mut outcomes = Vec::with_capacity(group.len());
    for round in rounds(group) {
        let mut appends = Vec::new();
        for (position, entry) in by_idempotency_keys(round) {
            let outcome = match entry {
                JournalEntry::Append(append) => {
                    appends.push((position, append));
                    continue;
                }
                JournalEntry::Admit(admission) => responses::admit(&transaction, admission).await?,
                JournalEntry::End(ending) => responses::end(&transaction, ending).await?,
                JournalEntry::Claim(claim) => responses::claim(&transaction, claim).await?,
                JournalEntry::Delete(id) => responses::delete(&transaction, *id).await?,
            };
            outcomes.push((position, outcome));
        }
        outcomes.extend(responses::append(&transaction, &appends).await?);
    }
    reach(FaultPoint::GroupWritten);
    transaction.commit().await?;
    reach(FaultPoint::GroupCommitted);
    outcomes.sort_unstable_by_key(|(position, _)| *position);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Orders a round: entries that claim an idempotency key come first, in the order of the keys, so that two nodes that
/// claim the same keys never deadlock.
///
/// A key that is released in the same round is therefore still taken. The claiming response looks it up again.
fn by_idempotency_keys(mut round: Vec<Numbered<&JournalEntry>>) -> Vec<Numbered<&JournalEntry>> {
    round.sort_by_key(|(_, entry)| match entry {
        JournalEntry::Admit(admission) => {
            (admission.idempotency.is_none(), admission.idempotency.map(|claimed| claimed.key))
        }
        JournalEntry::Append(_) | JournalEntry::End(_) | JournalEntry::Claim(_) | JournalEntry::Delete(_) => {
            (true, None)
        }
    });
    round
}

/// Splits a group into rounds: the n-th entries of every response form round n. Responses share nothing but
/// idempotency keys, so writing round after round gives the same result as writing the entries one by one, and a
/// round may be written at once.
fn rounds(group: &[JournalEntry]) -> Vec<Vec<Numbered<&JournalEntry>>> {
    let mut taken: HashMap<ResponseId, usize> = HashMap::new();
    let mut rounds: Vec<Vec<Numbered<&JournalEntry>>> = Vec::new();
    for (position, entry) in group.iter().enumerate() {
        let round = taken.entry(response_of(entry)).or_default();
        match rounds.get_mut(*round) {
            Some(entries) => entries.push((position, entry)),
            None => rounds.push(vec![(position, entry)]),
        }
        *round += 1;
    }
    rounds
}

fn response_of(entry: &JournalEntry) -> ResponseId {
    match entry {
        JournalEntry::Admit(admission) => admission.row.id,
        JournalEntry::Append(append) => append.segment.response,
        JournalEntry::End(ending) => ending.id,
        JournalEntry::Claim(claim) => claim.id,
        JournalEntry::Delete(id) => *id,
    }
}
