//! Writing a new response.

use antiphon_entities::{response, segment};
use sea_orm::{DatabaseTransaction, EntityTrait, TransactionTrait, sea_query::OnConflict};

use super::{append::is_there, insert_items, inserted};
use crate::fault::{self, FaultPoint};
use crate::store::sql::{idempotency, read, rows};
use crate::store::{AdmissionRecord, CommitOutcome, Conflict, Error};

pub(super) async fn admit(
    transaction: &DatabaseTransaction,
    admission: &AdmissionRecord,
) -> Result<CommitOutcome, Error> {
    let savepoint = transaction.begin().await?;
    let written = write(&savepoint, admission).await?;
    if written == CommitOutcome::Committed {
        savepoint.commit().await?;
        return Ok(CommitOutcome::Committed);
    }
    savepoint.rollback().await?;
    if was_admitted(transaction, admission).await? {
        return Ok(CommitOutcome::Committed);
    }
    Ok(written)
}

/// Whether all of it was written, and what was in the way.
async fn write(savepoint: &DatabaseTransaction, admission: &AdmissionRecord) -> Result<CommitOutcome, Error> {
    const POSITION: CommitOutcome = CommitOutcome::Conflict(Conflict::Position);
    let nothing = || OnConflict::new().do_nothing().to_owned();
    let row = response::Entity::insert(rows::new_response(admission)).on_conflict(nothing());
    if inserted(row.exec_without_returning(savepoint).await)? != 1 {
        return Ok(POSITION);
    }
    fault::reach(FaultPoint::AdmissionRowInserted);
    if !idempotency::claim(savepoint, admission).await? {
        return Ok(CommitOutcome::Conflict(Conflict::KeyTaken));
    }
    fault::reach(FaultPoint::KeyClaimed);
    if !insert_items(savepoint, &admission.items).await? {
        return Ok(POSITION);
    }
    let Some(first) = &admission.segment else { return Ok(CommitOutcome::Committed) };
    let log = segment::Entity::insert(rows::new_segment(first)).on_conflict(nothing());
    let written = inserted(log.exec_without_returning(savepoint).await)? == 1;
    fault::reach(FaultPoint::AdmissionWritten);
    Ok(if written { CommitOutcome::Committed } else { POSITION })
}

async fn was_admitted(transaction: &DatabaseTransaction, admission: &AdmissionRecord) -> Result<bool, Error> {
    let row = read::response(transaction, admission.row.id).await?;
    if !row.is_some_and(|row| row.same_admission(&admission.row)) {
        return Ok(false);
    }
    match &admission.segment {
        Some(first) => is_there(transaction, first).await,
        None => Ok(true),
    }
}
