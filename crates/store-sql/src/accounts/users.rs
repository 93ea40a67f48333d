//! Users.

use std::collections::HashSet;

use antiphon_entities::{api_key, user};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QuerySelect, Statement,
    sea_query::{Expr, Func, OnConflict},
};

use super::data_keys;
use crate::{
    columns::{user_id, user_key},
    connect::Pools,
    error::SqlError,
    idempotency_keys, nodes, responses, usage_records,
    wanted::{ColumnKind, WantedRows},
};
use antiphon_domain::Timestamp;
use antiphon_protocol::UserId;
use antiphon_store::{Error, UserRecord, WrappedKey};

/// How many responses or keys of a user one transaction deletes at most: few enough that it is done in time, whatever
/// belongs to them, and that others get their turn.
pub(super) const BATCH: u32 = 100;

/// Inserts a user with its data key. False if another user has the name.
pub(super) async fn create(pools: &Pools, user: UserRecord, data_key: WrappedKey) -> Result<bool, SqlError> {
    let transaction = pools.begin().await?;
    let row = user::ActiveModel {
        id: Set(user_key(user.id)),
        name: Set(user.name),
        created_at: Set(user.created_at.as_micros()),
        deleted_at: Set(user.deleted_at.map(Timestamp::as_micros)),
    };
    let unless_taken = OnConflict::column(user::Column::Name).do_nothing().to_owned();
    match user::Entity::insert(row).on_conflict(unless_taken).exec_without_returning(&transaction).await {
        Ok(0) | Err(DbErr::RecordNotInserted) => return Ok(false),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    data_keys::insert(&transaction, user.id, &data_key).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) async fn all(db: &DatabaseConnection) -> Result<Vec<UserRecord>, SqlError> {
    let rows = user::Entity::find().all(db).await?;
    let mut users = rows.into_iter().map(record).collect::<Result<Vec<UserRecord>, Error>>()?;
    // Sorted here, because the database's order of texts depends on its locale.
    users.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(users)
}

pub(super) async fn by_name(db: &DatabaseConnection, name: String) -> Result<Option<UserRecord>, SqlError> {
    let row = user::Entity::find().filter(user::Column::Name.eq(name)).one(db).await?;
    Ok(row.map(record).transpose()?)
}

/// Locks users against being deleted, in the order of all locks, and returns those that are not being deleted.
pub(crate) async fn lock_present(
    transaction: &DatabaseTransaction,
    users: impl IntoIterator<Item = UserId>,
) -> Result<HashSet<UserId>, SqlError> {
    const SQL: &str = "
SELECT u.id FROM wanted w JOIN users u ON u.id = w.id WHERE u.deleted_at IS NULL
ORDER BY u.id";
    // The weakest lock that keeps the row: those who mark the user do not wait for it, and so can't starve.
    let lock = if transaction.get_database_backend() == DbBackend::Postgres { " FOR KEY SHARE OF u" } else { "" };
    let wanted = WantedRows::new([("id", ColumnKind::Text)], users.into_iter().map(|user| [user_key(user).into()]));
    let rows = wanted.query(transaction, &format!("{SQL}{lock}")).await?;
    rows.iter().map(|row| Ok(user_id(&row.try_get::<String>("", "id")?, "users.id")?)).collect()
}

/// Marks a user as one that is being deleted, and revokes its API keys. False if there is no such user.
///
/// What was being admitted for the user at that time is there when this returns.
pub(super) async fn mark_deleted(pools: &Pools, user: UserId, at: Timestamp) -> Result<bool, SqlError> {
    let transaction = pools.begin().await?;
    let found = set_deleted_at(&transaction, user, at).await?;
    api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(at.as_micros()))
        .filter(api_key::Column::UserId.eq(user_key(user)))
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    let transaction = pools.begin().await?;
    lock(&transaction, user).await?;
    transaction.commit().await?;
    Ok(found)
}

/// Marks a user; one that was marked before keeps its time. False if there is no such user.
async fn set_deleted_at(transaction: &DatabaseTransaction, user: UserId, at: Timestamp) -> Result<bool, SqlError> {
    let kept = Func::coalesce([Expr::col(user::Column::DeletedAt), Expr::val(at.as_micros())]);
    let marked = user::Entity::update_many()
        .col_expr(user::Column::DeletedAt, kept.into())
        .filter(user::Column::Id.eq(user_key(user)))
        .exec(transaction)
        .await?;
    Ok(marked.rows_affected == 1)
}

/// Locks the row of a user who is marked, once the responses and keys that were on their way then are there: no others come.
/// That may take as long as a statement may.
async fn lock(transaction: &DatabaseTransaction, user: UserId) -> Result<(), SqlError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared("SET LOCAL lock_timeout = 0").await?;
    }
    user::Entity::find_by_id(user_key(user)).lock_exclusive().one(transaction).await?;
    Ok(())
}

/// How many responses of a user have not ended and are not set aside, if there is a node that can end them.
pub(super) async fn responses_to_end(db: &DatabaseConnection, user: UserId) -> Result<u64, SqlError> {
    let backend = db.get_database_backend();
    let sql = format!(
        "
SELECT COUNT(*) AS live FROM responses r
WHERE r.user_id = $1 AND r.status IN ('queued', 'in_progress') AND r.set_aside_at IS NULL
AND EXISTS (SELECT 1 FROM nodes n WHERE n.lease_until > {now})",
        now = nodes::now(backend)
    );
    let row = db.query_one_raw(Statement::from_sql_and_values(backend, sql, [user_key(user).into()])).await?;
    let live: i64 = row.ok_or(Error::Corrupt { what: "responses" })?.try_get("", "live")?;
    Ok(u64::try_from(live).unwrap_or_default())
}

/// Destroys what opens a user's content and lets the user in, and marks the user if that was not done. From then on there
/// are no new responses of the user: those that were on their way had locked the user's row. False if there is no such user.
pub(super) async fn shred(pools: &Pools, user: UserId, at: Timestamp) -> Result<bool, SqlError> {
    let transaction = pools.begin().await?;
    let found = set_deleted_at(&transaction, user, at).await?;
    lock(&transaction, user).await?;
    data_keys::delete(&transaction, user).await?;
    api_key::Entity::delete_many().filter(api_key::Column::UserId.eq(user_key(user))).exec(&transaction).await?;
    transaction.commit().await?;
    scrub(pools).await?;
    Ok(found)
}

/// Deletes some of a user's responses, each with an estimate of its usage if it ran. False if there were none.
pub(super) async fn delete_some_responses(
    pools: &Pools,
    user: UserId,
    at: Timestamp,
    limit: u32,
) -> Result<bool, SqlError> {
    let transaction = pools.begin().await?;
    let some = responses::lock_some_of_user(&transaction, user, limit).await?;
    usage_records::estimate_running(&transaction, &some, at).await?;
    responses::delete(&transaction, &some).await?;
    transaction.commit().await?;
    Ok(!some.is_empty())
}

/// Deletes some of a user's idempotency keys. False if there were none.
pub(super) async fn delete_some_keys(pools: &Pools, user: UserId) -> Result<bool, SqlError> {
    Ok(idempotency_keys::delete_some_of_user(&pools.write, user, BATCH).await? > 0)
}

/// Deletes a user's own row, the last one: as long as it is there, the deletion can be seen and continued.
pub(super) async fn delete_row(pools: &Pools, user: UserId) -> Result<(), SqlError> {
    user::Entity::delete_by_id(user_key(user)).exec(&pools.write).await?;
    scrub(pools).await
}

/// The write-ahead log of SQLite still has the pages with what was deleted.
async fn scrub(pools: &Pools) -> Result<(), SqlError> {
    if pools.write.get_database_backend() == DbBackend::Sqlite {
        pools.write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    }
    Ok(())
}

/// The users who were marked as being deleted before that time.
pub(super) async fn deleted_before(db: &DatabaseConnection, time: Timestamp) -> Result<Vec<UserId>, SqlError> {
    let marked = user::Entity::find().filter(user::Column::DeletedAt.is_not_null());
    let rows = marked.filter(user::Column::DeletedAt.lt(time.as_micros())).all(db).await?;
    Ok(rows.iter().map(|row| user_id(&row.id, "users.id")).collect::<Result<_, Error>>()?)
}

fn record(row: user::Model) -> Result<UserRecord, Error> {
    Ok(UserRecord {
        id: user_id(&row.id, "users.id")?,
        name: row.name,
        created_at: Timestamp::from_micros(row.created_at),
        deleted_at: row.deleted_at.map(Timestamp::from_micros),
    })
}
