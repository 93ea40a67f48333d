//! Writing a response's ending.

use antiphon_entities::{response, usage_record};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Statement,
    TransactionTrait, sea_query::OnConflict,
};

use super::{append::is_there, insert_items, inserted};
use crate::fault::{self, FaultPoint};
use crate::store::sql::{
    idempotency, read,
    rows::{self, bigint, key},
};
use crate::store::{CommitOutcome, Conflict, EndingRecord, Error, Segment};

const LAST_SEGMENT: &str = "
INSERT INTO segments (response, first_fact, fact_count, bytes)
SELECT $1, $2, $3, $4
WHERE EXISTS (
    SELECT 1 FROM segments p WHERE p.response = $1 AND p.first_fact = $5 AND p.first_fact + p.fact_count = $2
)
ON CONFLICT DO NOTHING";

pub(super) async fn end(transaction: &DatabaseTransaction, ending: &EndingRecord) -> Result<CommitOutcome, Error> {
    let savepoint = transaction.begin().await?;
    if write(&savepoint, ending).await? {
        savepoint.commit().await?;
        return Ok(CommitOutcome::Committed);
    }
    savepoint.rollback().await?;
    explain(transaction, ending).await
}

/// Whether all of it was written.
async fn write(savepoint: &DatabaseTransaction, ending: &EndingRecord) -> Result<bool, Error> {
    if !set_status(savepoint, ending).await? {
        return Ok(false);
    }
    fault::reach(FaultPoint::StatusSet);
    if let Some((after, segment)) = &ending.segment
        && !append_last(savepoint, *after, segment).await?
    {
        return Ok(false);
    }
    fault::reach(FaultPoint::LastSegmentInserted);
    let nothing = || OnConflict::new().do_nothing().to_owned();
    if !insert_items(savepoint, &ending.items).await? {
        return Ok(false);
    }
    fault::reach(FaultPoint::OutputInserted);
    let usage = usage_record::Entity::insert_many(ending.usage.iter().map(rows::new_usage)).on_conflict(nothing());
    inserted(usage.exec_without_returning(savepoint).await)?;
    fault::reach(FaultPoint::UsageInserted);
    if ending.releases_key {
        idempotency::release(savepoint, ending.id).await?;
        fault::reach(FaultPoint::KeyReleased);
    }
    Ok(true)
}

/// Compares and sets: only the owner's live response ends.
async fn set_status(savepoint: &DatabaseTransaction, ending: &EndingRecord) -> Result<bool, Error> {
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
        .filter(response::Column::Uuid.eq(key(ending.id)))
        .filter(response::Column::Epoch.eq(ending.epoch))
        .filter(read::not_ended())
        .exec(savepoint)
        .await?;
    Ok(updated.rows_affected == 1)
}

async fn append_last(savepoint: &DatabaseTransaction, after: u64, segment: &Segment) -> Result<bool, Error> {
    let values = [
        key(segment.response).into(),
        bigint(segment.first).into(),
        i64::from(segment.count).into(),
        segment.bytes.to_vec().into(),
        bigint(after).into(),
    ];
    let statement = Statement::from_sql_and_values(savepoint.get_database_backend(), LAST_SEGMENT, values);
    let written = savepoint.execute_raw(statement).await?.rows_affected() == 1;
    Ok(written || is_there(savepoint, segment).await?)
}

async fn explain(transaction: &DatabaseTransaction, ending: &EndingRecord) -> Result<CommitOutcome, Error> {
    let row = read::response(transaction, ending.id).await?;
    let conflict = Conflict::of(row.as_ref(), ending.epoch);
    let ended_so = conflict == Conflict::Ended
        && match &ending.segment {
            Some((_, last)) => is_there(transaction, last).await?,
            None => row.is_some_and(|row| row.ended_by(ending)),
        };
    Ok(if ended_so { CommitOutcome::Committed } else { CommitOutcome::Conflict(conflict) })
}
