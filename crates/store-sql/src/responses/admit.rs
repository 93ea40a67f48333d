//! Writing a new response.

use antiphon_entities::{response, segment};
use sea_orm::{DatabaseTransaction, EntityTrait, TransactionTrait, sea_query::OnConflict};

use super::{items, log, rows};
use crate::{columns::inserted, error::SqlError, idempotency_keys};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_store::{AdmissionRecord, CommitOutcome, Conflict};

pub(crate) async fn admit(
    transaction: &DatabaseTransaction,
    admission: &AdmissionRecord,
) -> Result<CommitOutcome, SqlError> {
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

/// Writes all parts of an admission, or says which conflict kept it from that.
async fn write(savepoint: &DatabaseTransaction, admission: &AdmissionRecord) -> Result<CommitOutcome, SqlError> {
    const POSITION: CommitOutcome = CommitOutcome::Conflict(Conflict::Position);
    let nothing = || OnConflict::new().do_nothing().to_owned();
    let row = response::Entity::insert(rows::new_response(admission)).on_conflict(nothing());
    if inserted(row.exec_without_returning(savepoint).await)? != 1 {
        return Ok(POSITION);
    }
    reach(FaultPoint::AdmissionRowInserted);
    if !idempotency_keys::claim(savepoint, admission).await? {
        return Ok(CommitOutcome::Conflict(Conflict::KeyTaken));
    }
    reach(FaultPoint::KeyClaimed);
    if !items::insert(savepoint, &admission.items).await? {
        return Ok(POSITION);
    }
    let Some(first) = &admission.segment else { return Ok(CommitOutcome::Committed) };
    let log = segment::Entity::insert(log::new_segment(first)).on_conflict(nothing());
    let written = inserted(log.exec_without_returning(savepoint).await)? == 1;
    reach(FaultPoint::AdmissionWritten);
    Ok(if written { CommitOutcome::Committed } else { POSITION })
}

async fn was_admitted(transaction: &DatabaseTransaction, admission: &AdmissionRecord) -> Result<bool, SqlError> {
    let row = rows::find(transaction, admission.row.id).await?;
    if !row.is_some_and(|row| row.same_admission(&admission.row)) {
        return Ok(false);
    }
    match &admission.segment {
        Some(first) => log::has(transaction, first).await,
        None => Ok(true),
    }
}
