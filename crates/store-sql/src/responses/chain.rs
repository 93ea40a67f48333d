//! A response and its ancestors, in one statement.

use sea_orm::{DatabaseConnection, Statement};

use super::rows::{PLAIN_COLUMNS, select};
use crate::{columns::response_key, error::SqlError};
use antiphon_protocol::ResponseId;
use antiphon_store::ResponseRow;

pub(super) async fn chain(db: &DatabaseConnection, id: ResponseId, limit: u32) -> Result<Vec<ResponseRow>, SqlError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "
WITH RECURSIVE chain(ancestor, before, depth) AS (
    SELECT uuid, previous, 1 FROM responses WHERE uuid = $1
    UNION ALL
    SELECT r.uuid, r.previous, c.depth + 1 FROM chain c JOIN responses r ON r.uuid = c.before WHERE c.depth < $2
)
SELECT {columns}
FROM chain c JOIN responses r ON r.uuid = c.ancestor
ORDER BY c.depth",
        columns = *PLAIN_COLUMNS
    );
    let values = [response_key(id).into(), i64::from(limit).into()];
    select(db, Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await
}
