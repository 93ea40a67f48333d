//! Responses that are set aside.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement};

use crate::{
    columns::{response_id, response_ids, response_key},
    connect::Pools,
    error::SqlError,
    nodes,
    wanted::{
        ColumnKind::{Number, Text},
        Columns, WantedRows,
    },
};
use antiphon_domain::{SetAsideReason, Timestamp};
use antiphon_protocol::ResponseId;
use antiphon_store::{SetAsideMark, SetAsideResponse};

const COLUMNS: Columns<5> = [("response", Text), ("at", Number), ("reason", Text), ("node", Text), ("epoch", Number)];

const CLEAR: &str = "
UPDATE responses SET set_aside_at = NULL, set_aside_reason = NULL, retry_wanted_at = NULL WHERE uuid = $1";

/// Never the same time twice, so that the wish can be told from the one before.
const WANT_RETRY: &str = "
UPDATE responses SET retry_wanted_at = CASE WHEN retry_wanted_at >= $1 THEN retry_wanted_at + 1 ELSE $1 END
WHERE uuid = $2 AND set_aside_at IS NOT NULL AND status IN ('queued', 'in_progress')";

pub(super) async fn set_aside(db: &DatabaseConnection, limit: u32) -> Result<Vec<SetAsideResponse>, SqlError> {
    let backend = db.get_database_backend();
    let sql = format!(
        "
SELECT r.uuid, r.node, r.set_aside_at, r.set_aside_reason, CASE WHEN EXISTS (
    SELECT 1 FROM nodes n WHERE n.node = r.node AND n.epoch = r.epoch AND n.lease_until > {now}
) THEN 1 ELSE 0 END AS has_live_owner
FROM responses r
WHERE r.set_aside_at IS NOT NULL AND r.status IN ('queued', 'in_progress')
ORDER BY r.set_aside_at, r.uuid
LIMIT $1",
        now = nodes::now(backend)
    );
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, [i64::from(limit).into()])).await?;
    rows.iter()
        .map(|row| {
            let (id, reason): (String, Option<String>) =
                (row.try_get("", "uuid")?, row.try_get("", "set_aside_reason")?);
            let at = Timestamp::from_micros(row.try_get("", "set_aside_at")?);
            let reason = SetAsideReason::named(&reason.unwrap_or_default());
            let has_live_owner = row.try_get::<i32>("", "has_live_owner")? == 1;
            let id = response_id(&id, "responses.uuid")?;
            Ok(SetAsideResponse {
                id,
                node: row.try_get("", "node")?,
                mark: SetAsideMark { at, reason },
                has_live_owner,
            })
        })
        .collect()
}

/// Marks responses, and returns those that it marked: they have not ended, and the marking node has them or nobody.
pub(super) async fn mark(
    pools: &Pools,
    (node, epoch): (String, i64),
    marks: Vec<(ResponseId, SetAsideMark)>,
) -> Result<HashSet<ResponseId>, SqlError> {
    let transaction = pools.begin().await?;
    lock(&transaction, &marks).await?;
    let sql = format!(
        "
UPDATE responses AS r SET set_aside_at = COALESCE(r.set_aside_at, w.at), set_aside_reason = w.reason
FROM wanted w
WHERE r.uuid = w.response AND r.status IN ('queued', 'in_progress') AND (
    r.node = w.node AND r.epoch <= w.epoch
    OR r.node <> w.node AND NOT EXISTS (SELECT 1 FROM nodes o WHERE o.node = r.node AND o.lease_until > {now})
)
RETURNING uuid",
        now = nodes::now(transaction.get_database_backend())
    );
    let rows = marks.into_iter().map(|(id, SetAsideMark { at, reason })| {
        let reason = reason.as_str().to_owned();
        [response_key(id).into(), at.as_micros().into(), reason.into(), node.clone().into(), epoch.into()]
    });
    let marked = response_ids(&WantedRows::new(COLUMNS, rows).query(&transaction, &sql).await?, "uuid")?;
    transaction.commit().await?;
    Ok(marked)
}

/// Locks the rows in the order of all locks, without reading them: one may hold nonsense.
async fn lock(transaction: &DatabaseTransaction, marks: &[(ResponseId, SetAsideMark)]) -> Result<(), SqlError> {
    const LOCK: &str = "
SELECT r.uuid FROM wanted w JOIN responses r ON r.uuid = w.response ORDER BY r.uuid FOR UPDATE OF r";
    if transaction.get_database_backend() == DbBackend::Postgres {
        let ids = marks.iter().map(|(id, _)| [response_key(*id).into()]);
        WantedRows::new([("response", Text)], ids).query(transaction, LOCK).await?;
    }
    Ok(())
}

pub(super) async fn clear(db: &DatabaseConnection, id: ResponseId) -> Result<(), SqlError> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), CLEAR, [response_key(id).into()]);
    db.execute_raw(statement).await?;
    Ok(())
}

pub(super) async fn want_retry(db: &DatabaseConnection, id: ResponseId, at: Timestamp) -> Result<bool, SqlError> {
    let values = [at.as_micros().into(), response_key(id).into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), WANT_RETRY, values);
    Ok(db.execute_raw(statement).await?.rows_affected() == 1)
}
