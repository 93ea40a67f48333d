//! Responses that are set aside.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::{
    columns::{response_id, response_key},
    error::SqlError,
};
use antiphon_domain::{SetAsideReason, Timestamp};
use antiphon_protocol::ResponseId;
use antiphon_store::{SetAsideMark, SetAsideResponse};

const SET_ASIDE: &str = "
SELECT uuid, node, set_aside_at, set_aside_reason FROM responses
WHERE set_aside_at IS NOT NULL AND status IN ('queued', 'in_progress')
ORDER BY set_aside_at, uuid
LIMIT $1";

const MARK: &str = "
UPDATE responses SET set_aside_at = COALESCE(set_aside_at, $1), set_aside_reason = $2
WHERE uuid = $3 AND status IN ('queued', 'in_progress')";

const CLEAR: &str = "
UPDATE responses SET set_aside_at = NULL, set_aside_reason = NULL
WHERE uuid = $1 AND status IN ('queued', 'in_progress')";

pub(super) async fn set_aside(db: &DatabaseConnection, limit: u32) -> Result<Vec<SetAsideResponse>, SqlError> {
    let values = [i64::from(limit).into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), SET_ASIDE, values)).await?;
    rows.iter()
        .map(|row| {
            let (id, reason): (String, Option<String>) =
                (row.try_get("", "uuid")?, row.try_get("", "set_aside_reason")?);
            let at = Timestamp::from_micros(row.try_get("", "set_aside_at")?);
            let reason = SetAsideReason::named(&reason.unwrap_or_default());
            let id = response_id(&id, "responses.uuid")?;
            Ok(SetAsideResponse { id, node: row.try_get("", "node")?, mark: SetAsideMark { at, reason } })
        })
        .collect()
}

pub(super) async fn mark(
    db: &DatabaseConnection,
    id: ResponseId,
    mark: Option<SetAsideMark>,
) -> Result<bool, SqlError> {
    let backend = db.get_database_backend();
    let statement = match mark {
        Some(SetAsideMark { at, reason }) => {
            let values = [at.as_micros().into(), reason.as_str().into(), response_key(id).into()];
            Statement::from_sql_and_values(backend, MARK, values)
        }
        None => Statement::from_sql_and_values(backend, CLEAR, [response_key(id).into()]),
    };
    Ok(db.execute_raw(statement).await?.rows_affected() == 1)
}
