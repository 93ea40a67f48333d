//! Leases, by the database's own clock: nodes may disagree about the time of day.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, Statement};

use super::{connect::Pools, rows::PlainColumns};
use crate::store::{Error, ResponseRow};

/// The time now in microseconds of the Unix epoch. On PostgreSQL it is the statement's own and not that of its
/// transaction, which may have waited.
pub(super) fn now(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
    } else {
        "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)"
    }
}

/// A lease as a statement takes it.
pub(super) fn micros(lease: Duration) -> i64 {
    // A few thousand years: further the sum with the time would not fit.
    i64::try_from(lease.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

pub(super) async fn renew(pools: &Pools, node: String, epoch: i64, lease: Duration) -> Result<bool, Error> {
    let backend = pools.write.get_database_backend();
    let sql = format!("UPDATE nodes SET lease_until = {} + $1 WHERE node = $2 AND epoch = $3", now(backend));
    let values = [micros(lease).into(), node.into(), epoch.into()];
    let updated = pools.write.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(updated.rows_affected() == 1)
}

/// The two parts each go by the partial index of what has not ended, which wants the statuses spelled out.
pub(super) async fn orphaned(
    db: &DatabaseConnection,
    node: String,
    epoch: i64,
    limit: u32,
) -> Result<Vec<ResponseRow>, Error> {
    let backend = db.get_database_backend();
    let sql = format!(
        "
WITH lost(response, others) AS (
    SELECT uuid, 0 FROM responses WHERE node = $1 AND epoch < $2 AND status IN ('queued', 'in_progress')
    UNION ALL
    SELECT r.uuid, 1 FROM responses r
    WHERE r.node <> $1 AND r.status IN ('queued', 'in_progress') AND NOT EXISTS (
        SELECT 1 FROM nodes n WHERE n.node = r.node AND n.lease_until > {now}
    )
)
SELECT r.uuid, r.user_id, r.node, r.epoch, r.status, r.cause, r.finish_reason, r.model, r.stored, r.background,
       r.previous, r.fold_version, r.prompt_tokens, r.created_at, r.ended_at
FROM lost l JOIN responses r ON r.uuid = l.response
ORDER BY l.others, r.created_at, r.uuid
LIMIT $3",
        now = now(backend)
    );
    let values = [node.into(), epoch.into(), i64::from(limit).into()];
    let rows = PlainColumns::find_by_statement(Statement::from_sql_and_values(backend, sql, values)).all(db).await?;
    rows.into_iter().map(ResponseRow::try_from).collect()
}
