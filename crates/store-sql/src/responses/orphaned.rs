//! Responses that have not ended and whose owner is gone.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::{columns::response_id, error::SqlError, nodes};
use antiphon_domain::{SetAsideReason, Timestamp};
use antiphon_store::OrphanedResponse;

/// Reads them. The two parts of the statement each use the partial index of responses that have not ended, which
/// needs the statuses spelled out.
pub(super) async fn orphaned(
    db: &DatabaseConnection,
    node: String,
    epoch: i64,
    limit: u32,
) -> Result<Vec<OrphanedResponse>, SqlError> {
    let backend = db.get_database_backend();
    let sql = format!(
        "
WITH orphaned(response, others) AS (
    SELECT uuid, 0 FROM responses
    WHERE node = $1 AND (epoch < $2 OR epoch = $2 AND set_aside_at IS NOT NULL) AND status IN ('queued', 'in_progress')
    UNION ALL
    SELECT r.uuid, 1 FROM responses r
    WHERE r.node <> $1 AND r.status IN ('queued', 'in_progress') AND NOT EXISTS (
        SELECT 1 FROM nodes n WHERE n.node = r.node AND n.lease_until > {now}
    )
)
SELECT r.uuid, r.node, r.epoch, r.set_aside_reason, r.retry_wanted_at
FROM orphaned o JOIN responses r ON r.uuid = o.response
ORDER BY CASE WHEN r.set_aside_at IS NULL THEN 0 ELSE 1 END, COALESCE(r.retry_wanted_at, 0) DESC, o.others, r.created_at, r.uuid
LIMIT $3",
        now = nodes::now(backend)
    );
    let values = [node.into(), epoch.into(), i64::from(limit).into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter()
        .map(|row| {
            let (id, node, reason): (String, String, Option<String>) =
                (row.try_get("", "uuid")?, row.try_get("", "node")?, row.try_get("", "set_aside_reason")?);
            let retry_wanted_at: Option<i64> = row.try_get("", "retry_wanted_at")?;
            let set_aside = reason.map(|reason| SetAsideReason::named(&reason));
            Ok(OrphanedResponse {
                id: response_id(&id, "responses.uuid")?,
                node,
                epoch: row.try_get("", "epoch")?,
                set_aside,
                retry_wanted_at: retry_wanted_at.map(Timestamp::from_micros),
            })
        })
        .collect()
}
