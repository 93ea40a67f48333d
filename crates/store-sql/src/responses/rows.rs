//! The rows of responses.

use std::{collections::HashMap, sync::LazyLock};

use antiphon_entities::response;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DerivePartialModel, EntityTrait,
    FromQueryResult, IdenStatic, Iterable, Statement,
};

use crate::{
    columns::{response_id, response_ids, response_key, user_id, user_key},
    error::SqlError,
    wanted::{ColumnKind, WantedRows},
};
use antiphon_domain::{Cause, Timestamp};
use antiphon_protocol::{ResponseId, Status, UserId};
use antiphon_store::{Error, ResponseRow};

/// A row of `responses` without the text of the answer.
#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "response::Entity")]
struct PlainColumns {
    uuid: String,
    user_id: String,
    node: String,
    epoch: i64,
    status: String,
    cause: Option<String>,
    finish_reason: Option<String>,
    model: String,
    stored: bool,
    background: bool,
    previous: Option<String>,
    fold_version: i16,
    prompt_tokens: i64,
    created_at: i64,
    ended_at: Option<i64>,
}

/// The plain columns of a table `r`, for statements that are written by hand.
pub(super) static PLAIN_COLUMNS: LazyLock<String> = LazyLock::new(|| {
    use response::Column::{ContentEnc, SetAsideAt, SetAsideReason};
    let plain = response::Column::iter();
    let plain = plain.filter(|column| !matches!(column, ContentEnc | SetAsideAt | SetAsideReason));
    plain.map(|column| format!("r.{}", column.as_str())).collect::<Vec<_>>().join(", ")
});

impl TryFrom<PlainColumns> for ResponseRow {
    type Error = Error;

    fn try_from(row: PlainColumns) -> Result<Self, Error> {
        let cause = row.cause.map(|cause| Cause::parse(&cause).ok_or(Error::Corrupt { what: "responses.cause" }));
        let status = Status::parse(&row.status).ok_or(Error::Corrupt { what: "responses.status" })?;
        if status.is_terminal() != row.ended_at.is_some() {
            return Err(Error::Corrupt { what: "responses.ended_at" });
        }
        let previous = row.previous.map(|previous| response_id(&previous, "responses.previous"));
        Ok(Self {
            id: response_id(&row.uuid, "responses.uuid")?,
            user: user_id(&row.user_id, "responses.user_id")?,
            node: row.node,
            epoch: row.epoch,
            status,
            cause: cause.transpose()?,
            finish_reason: row.finish_reason,
            model: row.model,
            stored: row.stored,
            background: row.background,
            previous: previous.transpose()?,
            fold_version: row.fold_version,
            prompt_tokens: at_least_zero(row.prompt_tokens, "responses.prompt_tokens")?,
            created_at: Timestamp::from_micros(row.created_at),
            ended_at: row.ended_at.map(Timestamp::from_micros),
        })
    }
}

fn at_least_zero(count: i64, what: &'static str) -> Result<i64, Error> {
    if count < 0 { Err(Error::Corrupt { what }) } else { Ok(count) }
}

/// The row of a response.
pub(super) async fn find(db: &impl ConnectionTrait, id: ResponseId) -> Result<Option<ResponseRow>, SqlError> {
    let row = response::Entity::find_by_id(response_key(id)).into_partial_model::<PlainColumns>().one(db).await?;
    Ok(row.map(ResponseRow::try_from).transpose()?)
}

/// The rows that a statement selects by their [`PLAIN_COLUMNS`].
pub(super) async fn select(db: &DatabaseConnection, statement: Statement) -> Result<Vec<ResponseRow>, SqlError> {
    let rows = PlainColumns::find_by_statement(statement).all(db).await?;
    Ok(rows.into_iter().map(ResponseRow::try_from).collect::<Result<_, Error>>()?)
}

/// Locks the rows of responses until the transaction ends, in the order of all locks, and returns those that there are.
pub(crate) async fn lock(
    transaction: &DatabaseTransaction,
    ids: impl IntoIterator<Item = ResponseId>,
) -> Result<HashMap<ResponseId, ResponseRow>, SqlError> {
    let lock = if transaction.get_database_backend() == DbBackend::Postgres { " FOR UPDATE OF r" } else { "" };
    read_with(transaction, ids, lock).await
}

/// The rows of responses, those that there are.
pub(crate) async fn read(
    transaction: &DatabaseTransaction,
    ids: impl IntoIterator<Item = ResponseId>,
) -> Result<HashMap<ResponseId, ResponseRow>, SqlError> {
    read_with(transaction, ids, "").await
}

async fn read_with(
    transaction: &DatabaseTransaction,
    ids: impl IntoIterator<Item = ResponseId>,
    lock: &str,
) -> Result<HashMap<ResponseId, ResponseRow>, SqlError> {
    let wanted = WantedRows::new([("uuid", ColumnKind::Text)], ids.into_iter().map(|id| [response_key(id).into()]));
    let columns = PLAIN_COLUMNS.as_str();
    let sql = format!("SELECT {columns} FROM wanted w JOIN responses r ON r.uuid = w.uuid ORDER BY r.uuid{lock}");
    let found = wanted.query(transaction, &sql).await?;
    found
        .iter()
        .map(|row| {
            let row = ResponseRow::try_from(PlainColumns::from_query_result(row, "")?)?;
            Ok((row.id, row))
        })
        .collect()
}

/// Locks at most `limit` responses of a user, in the order of all locks. None only if the user has none.
pub(crate) async fn lock_some_of_user(
    transaction: &DatabaseTransaction,
    user: UserId,
    limit: u32,
) -> Result<Vec<ResponseId>, SqlError> {
    // Which ones does not matter, so they are not sorted before they are few.
    const SOME: &str = "SELECT uuid FROM responses WHERE user_id = $1 LIMIT $2";
    const LOCK: &str = "
SELECT r.uuid FROM wanted w JOIN responses r ON r.uuid = w.uuid ORDER BY r.uuid FOR UPDATE OF r";
    let backend = transaction.get_database_backend();
    let values = [user_key(user).into(), i64::from(limit).into()];
    let some = transaction.query_all_raw(Statement::from_sql_and_values(backend, SOME, values)).await?;
    let some: Vec<_> = response_ids(&some, "uuid")?.into_iter().collect();
    // SQLite has one writer, which locks everything.
    if backend == DbBackend::Postgres {
        let rows = some.iter().map(|id| [response_key(*id).into()]);
        WantedRows::new([("uuid", ColumnKind::Text)], rows).query(transaction, LOCK).await?;
    }
    Ok(some)
}

/// At most `limit` responses of the node that have not ended, are not set aside, and whose user is being deleted, oldest
/// first.
pub(super) async fn live_of_deleted_users(
    db: &DatabaseConnection,
    node: String,
    limit: u32,
) -> Result<Vec<(UserId, ResponseId)>, SqlError> {
    const SQL: &str = "
SELECT r.user_id, r.uuid FROM users u JOIN responses r ON r.user_id = u.id
WHERE u.deleted_at IS NOT NULL AND r.node = $1 AND r.status IN ('queued', 'in_progress')
AND r.set_aside_at IS NULL
ORDER BY r.created_at, r.uuid
LIMIT $2";
    let values = [node.into(), i64::from(limit).into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), SQL, values)).await?;
    let ids = rows.iter().map(|row| {
        let user = user_id(&row.try_get::<String>("", "user_id")?, "responses.user_id")?;
        Ok((user, response_id(&row.try_get::<String>("", "uuid")?, "responses.uuid")?))
    });
    ids.collect()
}
