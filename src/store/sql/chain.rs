//! A response and its ancestors, in one statement.

use sea_orm::{DatabaseConnection, FromQueryResult, Statement};

use super::rows::{PlainColumns, key};
use crate::protocol::ResponseId;
use crate::store::{Error, ResponseRow};

const CHAIN: &str = "
WITH RECURSIVE chain(ancestor, before, depth) AS (
    SELECT uuid, previous, 1 FROM responses WHERE uuid = $1
    UNION ALL
    SELECT r.uuid, r.previous, c.depth + 1 FROM chain c JOIN responses r ON r.uuid = c.before WHERE c.depth < $2
)
SELECT r.uuid, r.user_id, r.node, r.epoch, r.status, r.cause, r.finish_reason, r.model, r.stored, r.background,
       r.previous, r.fold_version, r.prompt_tokens, r.created_at, r.ended_at
FROM chain c JOIN responses r ON r.uuid = c.ancestor
ORDER BY c.depth";

pub(super) async fn chain(db: &DatabaseConnection, id: ResponseId, limit: u32) -> Result<Vec<ResponseRow>, Error> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let values = [key(id).into(), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), CHAIN, values);
    let rows = PlainColumns::find_by_statement(statement).all(db).await?;
    rows.into_iter().map(ResponseRow::try_from).collect()
}
