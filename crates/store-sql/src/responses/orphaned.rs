//! Responses that have not ended and whose owner is gone.

use sea_orm::{DatabaseConnection, Statement};

use super::rows::{PLAIN_COLUMNS, select};
use crate::{error::SqlError, nodes};
use antiphon_store::ResponseRow;

/// Reads them. The two parts of the statement each use the partial index of responses that have not ended, which
/// needs the statuses spelled out.
pub(super) async fn orphaned(
    db: &DatabaseConnection,
    node: String,
    epoch: i64,
    limit: u32,
) -> Result<Vec<ResponseRow>, SqlError> {
    let backend = db.get_database_backend();
    let sql = format!(
        "
WITH orphaned(response, others) AS (
    SELECT uuid, 0 FROM responses WHERE node = $1 AND epoch < $2 AND status IN ('queued', 'in_progress')
    UNION ALL
    SELECT r.uuid, 1 FROM responses r
    WHERE r.node <> $1 AND r.status IN ('queued', 'in_progress') AND NOT EXISTS (
        SELECT 1 FROM nodes n WHERE n.node = r.node AND n.lease_until > {now}
    )
)
SELECT {columns}
FROM orphaned o JOIN responses r ON r.uuid = o.response
ORDER BY o.others, r.created_at, r.uuid
LIMIT $3",
        now = nodes::now(backend),
        columns = *PLAIN_COLUMNS
    );
    let values = [node.into(), epoch.into(), i64::from(limit).into()];
    select(db, Statement::from_sql_and_values(backend, sql, values)).await
}
