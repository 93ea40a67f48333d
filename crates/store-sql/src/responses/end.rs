//! Writing a response's ending.

use antiphon_entities::response;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Statement,
    TransactionTrait,
};

use super::{items, log, rows};
use crate::{
    columns::{bigint, response_key},
    error::SqlError,
    idempotency_keys, usage_records,
};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_store::{CommitOutcome, Conflict, EndingRecord, LastSegment};

const LAST_SEGMENT: &str = "
INSERT INTO segments (response, first_fact, fact_count, bytes)
SELECT $1, $2, $3, $4
WHERE EXISTS (
    SELECT 1 FROM segments p WHERE p.response = $1 AND p.first_fact = $5 AND p.first_fact + p.fact_count = $2
)
ON CONFLICT DO NOTHING";

pub(crate) async fn end(transaction: &DatabaseTransaction, ending: &EndingRecord) -> Result<CommitOutcome, SqlError> {
    let savepoint = transaction.begin().await?;
    if write(&savepoint, ending).await? {
        savepoint.commit().await?;
        return Ok(CommitOutcome::Committed);
    }
    savepoint.rollback().await?;
    explain(transaction, ending).await
}

/// Writes all parts of an ending. False if one of them is in conflict.
async fn write(savepoint: &DatabaseTransaction, ending: &EndingRecord) -> Result<bool, SqlError> {
    if !set_status(savepoint, ending).await? {
        return Ok(false);
    }
    reach(FaultPoint::StatusSet);
    if let Some(last) = &ending.last_segment
        && !append_last(savepoint, last).await?
    {
        return Ok(false);
    }
    reach(FaultPoint::LastSegmentInserted);
    if !items::insert(savepoint, &ending.items).await? {
        return Ok(false);
    }
    reach(FaultPoint::OutputInserted);
    usage_records::insert(savepoint, &ending.usage).await?;
    reach(FaultPoint::UsageInserted);
    if ending.releases_key {
        idempotency_keys::release(savepoint, ending.id).await?;
        reach(FaultPoint::KeyReleased);
    }
    Ok(true)
}

/// Sets the terminal status by compare-and-set: only a response that has not ended and has this owner ends.
async fn set_status(savepoint: &DatabaseTransaction, ending: &EndingRecord) -> Result<bool, SqlError> {
    let ended = response::ActiveModel {
        status: Set(ending.status.as_str().to_owned()),
        cause: Set(ending.cause.map(|cause| cause.as_str().to_owned())),
        finish_reason: Set(ending.finish_reason.clone()),
        ended_at: Set(Some(ending.ended_at.as_micros())),
        content_enc: Set(ending.content.as_ref().map(|content| content.to_vec())),
        ..Default::default()
    };
    let updated = response::Entity::update_many()
        .set(ended)
        .filter(response::Column::Uuid.eq(response_key(ending.id)))
        .filter(response::Column::Epoch.eq(ending.epoch))
        .filter(rows::not_ended())
        .exec(savepoint)
        .await?;
    Ok(updated.rows_affected == 1)
}

async fn append_last(savepoint: &DatabaseTransaction, last: &LastSegment) -> Result<bool, SqlError> {
    let segment = &last.segment;
    let values = [
        response_key(segment.response).into(),
        bigint(segment.first).into(),
        i64::from(segment.count).into(),
        segment.bytes.to_vec().into(),
        bigint(last.after).into(),
    ];
    let statement = Statement::from_sql_and_values(savepoint.get_database_backend(), LAST_SEGMENT, values);
    let written = savepoint.execute_raw(statement).await?.rows_affected() == 1;
    Ok(written || log::has(savepoint, segment).await?)
}

async fn explain(transaction: &DatabaseTransaction, ending: &EndingRecord) -> Result<CommitOutcome, SqlError> {
    let row = rows::find(transaction, ending.id).await?;
    let conflict = Conflict::of(row.as_ref(), ending.epoch);
    let ended_so = conflict == Conflict::Ended
        && match &ending.last_segment {
            Some(last) => log::has(transaction, &last.segment).await?,
            None => row.is_some_and(|row| row.ended_by(ending)),
        };
    Ok(if ended_so { CommitOutcome::Committed } else { CommitOutcome::Conflict(conflict) })
}
