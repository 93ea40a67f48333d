//! Responses of one owner that have not ended.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::{columns::response_id, error::SqlError};
use antiphon_protocol::ResponseId;

/// Reads their ids, oldest first. The partial index of responses that have not ended needs the statuses spelled out.
pub(super) async fn unended(
    db: &DatabaseConnection,
    node: String,
    epoch: i64,
    limit: u32,
) -> Result<Vec<ResponseId>, SqlError> {
    let sql = "
SELECT uuid FROM responses WHERE node = $1 AND epoch = $2 AND status IN ('queued', 'in_progress')
ORDER BY created_at, uuid LIMIT $3";
    let values = [node.into(), epoch.into(), i64::from(limit).into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    let ids = rows.iter().map(|row| Ok(response_id(&row.try_get::<String>("", "uuid")?, "responses.uuid")?));
    ids.collect()
}
