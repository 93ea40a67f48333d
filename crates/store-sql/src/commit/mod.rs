//! Group commit: many entries in one transaction, by a number of statements that does not grow with the group.
//!
//! # The order of locks
//! Every transaction that locks more than one row takes its locks in this order, or two nodes could wait for each other:
//!
//! 1. users, by id;
//! 2. idempotency keys: those that are there, by user and key, then those that are claimed, by user and key;
//! 3. responses: those that are there, by uuid, then new ones, by uuid;
//! 4. what only the owner of a locked response writes: segments, items, usage records.
//!
//! Rows that responses will share one day (conversations, budgets) come between 3 and 4. What nevertheless fails for
//! another transaction's lock is [contended](Error::Contended), and the journal submits it again.
//!
//! # One entry never disturbs another one
//! No statement of a group fails in regular operation, because PostgreSQL would abort the whole transaction: the rows
//! are locked and read, what becomes of each entry is decided by the rules that all stores share, and what is to be
//! written is written for all entries at once. Inserts do nothing where they conflict. An entry that turns out to be in
//! conflict after something of it was written is settled, and the group is written again without it.

mod locks;
mod round;
mod writer;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use sea_orm::DatabaseTransaction;

use self::{locks::lock, writer::GroupWriter};
use super::{SqlStore, connect::Pools, error::SqlError};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_protocol::ResponseId;
use antiphon_store::{CommitOutcome, Error, GroupCommit, JournalEntry};

/// An entry, or its outcome, with its position in the group.
type Numbered<T> = (usize, T);

#[async_trait]
impl GroupCommit for SqlStore {
    async fn commit(&self, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, Error> {
        let group: Arc<[JournalEntry]> = group.into();
        let only_deletes = group.iter().all(|entry| matches!(entry, JournalEntry::Delete(_)));
        let work = move |pools: Arc<Pools>| {
            let group = Arc::clone(&group);
            async move { commit(&pools, &group).await }
        };
        if only_deletes { self.call_in_reserve("commit", work).await } else { self.call("commit", work).await }
    }

    async fn ping(&self) -> Result<(), Error> {
        self.call("ping", |pools| async move { pools.ping().await }).await
    }
}

/// What became of a group's entries in one transaction.
enum GroupAttempt {
    /// The transaction can be committed; the outcome of each entry.
    Written(Vec<Numbered<CommitOutcome>>),
    /// It can't, because these entries have written something and are in conflict.
    Spoilt(Vec<Numbered<CommitOutcome>>),
}

async fn commit(pools: &Pools, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, SqlError> {
    let mut settled: BTreeMap<usize, CommitOutcome> = BTreeMap::new();
    while settled.len() < group.len() {
        let open = group.iter().enumerate().filter(|(position, _)| !settled.contains_key(position)).collect();
        let transaction = pools.begin().await?;
        reach(FaultPoint::TransactionBegun);
        match write(&transaction, open).await? {
            GroupAttempt::Written(outcomes) => {
                reach(FaultPoint::GroupWritten);
                transaction.commit().await?;
                reach(FaultPoint::GroupCommitted);
                settled.extend(outcomes);
            }
            GroupAttempt::Spoilt(outcomes) => {
                transaction.rollback().await?;
                settled.extend(outcomes);
            }
        }
    }
    Ok(settled.into_values().collect())
}

async fn write(
    transaction: &DatabaseTransaction,
    open: Vec<Numbered<&JournalEntry>>,
) -> Result<GroupAttempt, SqlError> {
    let locked = lock(transaction, &open).await?;
    let mut writer = GroupWriter::new(transaction, locked);
    for round in rounds(open) {
        writer.write(&round).await?;
        if writer.is_spoilt() {
            break;
        }
    }
    Ok(writer.finish())
}

/// Splits a group into rounds: the n-th entries of every response form round n. What responses share is locked for the
/// whole group, so writing round after round gives the same result as writing the entries one by one, and a round may be
/// written at once. A journal has one entry of each response in a group, and so one round.
fn rounds(group: Vec<Numbered<&JournalEntry>>) -> Vec<Vec<Numbered<&JournalEntry>>> {
    let mut taken: HashMap<ResponseId, usize> = HashMap::new();
    let mut rounds: Vec<Vec<Numbered<&JournalEntry>>> = Vec::new();
    for (position, entry) in group {
        let round = taken.entry(entry.response()).or_default();
        match rounds.get_mut(*round) {
            Some(entries) => entries.push((position, entry)),
            None => rounds.push(vec![(position, entry)]),
        }
        *round += 1;
    }
    rounds
}
