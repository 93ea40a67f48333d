//! Group commit: many entries, one transaction.
//!
//! No statement of a group may raise in the course of things, because PostgreSQL would abort the whole
//! transaction: inserts do nothing where they conflict, and the count of rows says what happened.

mod admit;
mod append;
mod claim;
mod end;
mod epoch;

use std::collections::HashMap;

use antiphon_entities::{item, response};
use sea_orm::{DatabaseTransaction, DbErr, EntityTrait, sea_query::OnConflict};

use super::{
    connect::Pools,
    idempotency,
    rows::{self, key},
};
use crate::fault::{self, FaultPoint};
use crate::protocol::ResponseId;
use crate::store::{CommitOutcome, Entry, Error, StoredItem};

pub(super) use epoch::next_epoch;

/// An entry, or what became of it, with its place in the group.
type Numbered<T> = (usize, T);

pub(super) async fn commit(pools: &Pools, group: &[Entry]) -> Result<Vec<CommitOutcome>, Error> {
    if group.is_empty() {
        return Ok(Vec::new());
    }
    let transaction = pools.begin().await?;
    fault::reach(FaultPoint::TransactionBegun);
    let mut outcomes = Vec::with_capacity(group.len());
    for round in rounds(group) {
        let mut appends = Vec::new();
        for (place, entry) in by_claims(round) {
            match entry {
                Entry::Append(append) => appends.push((place, append)),
                Entry::Admit(admission) => outcomes.push((place, admit::admit(&transaction, admission).await?)),
                Entry::End(ending) => outcomes.push((place, end::end(&transaction, ending).await?)),
                Entry::Claim(claim) => outcomes.push((place, claim::claim(&transaction, claim).await?)),
                Entry::Delete(id) => outcomes.push((place, delete(&transaction, *id).await?)),
            }
        }
        outcomes.extend(append::append(&transaction, &appends).await?);
    }
    fault::reach(FaultPoint::GroupWritten);
    transaction.commit().await?;
    fault::reach(FaultPoint::GroupCommitted);
    outcomes.sort_unstable_by_key(|(place, _)| *place);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Those that claim an idempotency key come first, in the keys' order: two nodes that claim the same keys wait for
/// each other, and never in a circle.
///
/// A key that is given back in the same round is therefore still taken. Whoever claims it looks again.
fn by_claims(mut round: Vec<Numbered<&Entry>>) -> Vec<Numbered<&Entry>> {
    round.sort_by_key(|(_, entry)| match entry {
        Entry::Admit(admission) => (admission.claim.is_none(), admission.claim.map(|claim| claim.key)),
        Entry::Append(_) | Entry::End(_) | Entry::Claim(_) | Entry::Delete(_) => (true, None),
    });
    round
}

/// The n-th entries of every response form round n: responses have nothing in common but idempotency keys, so taking
/// round after round gives the same as taking the entries one by one, and a round may be written at once.
fn rounds(group: &[Entry]) -> Vec<Vec<Numbered<&Entry>>> {
    let mut taken: HashMap<ResponseId, usize> = HashMap::new();
    let mut rounds: Vec<Vec<Numbered<&Entry>>> = Vec::new();
    for (place, entry) in group.iter().enumerate() {
        let round = taken.entry(response_of(entry)).or_default();
        match rounds.get_mut(*round) {
            Some(entries) => entries.push((place, entry)),
            None => rounds.push(vec![(place, entry)]),
        }
        *round += 1;
    }
    rounds
}

fn response_of(entry: &Entry) -> ResponseId {
    match entry {
        Entry::Admit(admission) => admission.row.id,
        Entry::Append(append) => append.segment.response,
        Entry::End(ending) => ending.id,
        Entry::Claim(claim) => claim.id,
        Entry::Delete(id) => *id,
    }
}

/// Items and segments go with the row. Its idempotency key stays, for a while.
async fn delete(transaction: &DatabaseTransaction, id: ResponseId) -> Result<CommitOutcome, Error> {
    idempotency::keep_no_more(transaction, id).await?;
    response::Entity::delete_by_id(key(id)).exec(transaction).await?;
    fault::reach(FaultPoint::RowDeleted);
    Ok(CommitOutcome::Committed)
}

/// How many rows an insert that may have conflicted has written.
pub(super) fn inserted(result: Result<u64, DbErr>) -> Result<usize, Error> {
    match result {
        Ok(rows) => Ok(usize::try_from(rows).unwrap_or(usize::MAX)),
        Err(DbErr::RecordNotInserted) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Inserts items; says whether none was there before. In chunks, because databases bound the values of one
/// statement.
async fn insert_items(savepoint: &DatabaseTransaction, items: &[StoredItem]) -> Result<bool, Error> {
    const CHUNK: usize = 1_000;
    for chunk in items.chunks(CHUNK) {
        let nothing = OnConflict::new().do_nothing().to_owned();
        let insert = item::Entity::insert_many(chunk.iter().map(rows::new_item)).on_conflict(nothing);
        if inserted(insert.exec_without_returning(savepoint).await)? != chunk.len() {
            return Ok(false);
        }
    }
    Ok(true)
}
