//! Users.

use std::collections::HashSet;

use antiphon_entities::{api_key, user};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QuerySelect, Statement,
    sea_query::{Expr, OnConflict},
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
    let lock = if transaction.get_database_backend() == DbBackend::Postgres { " FOR SHARE OF u" } else { "" };
    let wanted = WantedRows::new([("id", ColumnKind::Text)], users.into_iter().map(|user| [user_key(user).into()]));
    let rows = wanted.query(transaction, &format!("{SQL}{lock}")).await?;
    rows.iter().map(|row| Ok(user_id(&row.try_get::<String>("", "id")?, "users.id")?)).collect()
}

/// Marks a user as one that is being deleted, and revokes its API keys. False if there is no such user.
pub(super) async fn mark_deleted(pools: &Pools, user: UserId, at: Timestamp) -> Result<bool, SqlError> {
    let transaction = pools.begin().await?;
    let found = lock(&transaction, user).await?;
    let at = Expr::value(at.as_micros());
    user::Entity::update_many()
        .col_expr(user::Column::DeletedAt, at.clone())
        .filter(user::Column::Id.eq(user_key(user)))
        .filter(user::Column::DeletedAt.is_null())
        .exec(&transaction)
        .await?;
    api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, at)
        .filter(api_key::Column::UserId.eq(user_key(user)))
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(found)
}

/// Locks a user's row, also against new responses and keys of the user. False if there is none.
async fn lock(transaction: &DatabaseTransaction, user: UserId) -> Result<bool, SqlError> {
    Ok(user::Entity::find_by_id(user_key(user)).lock_exclusive().one(transaction).await?.is_some())
}

/// How many responses of a user have not ended, if there is a node that can end them.
pub(super) async fn responses_to_end(db: &DatabaseConnection, user: UserId) -> Result<u64, SqlError> {
    let backend = db.get_database_backend();
    let sql = format!(
        "
SELECT COUNT(*) AS live FROM responses r
WHERE r.user_id = $1 AND r.status IN ('queued', 'in_progress')
AND EXISTS (SELECT 1 FROM nodes n WHERE n.lease_until > {now})",
        now = nodes::now(backend)
    );
    let row = db.query_one_raw(Statement::from_sql_and_values(backend, sql, [user_key(user).into()])).await?;
    let live: i64 = row.ok_or(Error::Corrupt { what: "responses" })?.try_get("", "live")?;
    Ok(u64::try_from(live).unwrap_or_default())
}

/// Deletes a user, in the order of all locks. The user's data key and API keys are deleted with the row.
pub(super) async fn delete(pools: &Pools, user: UserId, at: Timestamp) -> Result<bool, SqlError> {
    let transaction = pools.begin().await?;
    let found = lock(&transaction, user).await?;
    idempotency_keys::lock_of_user(&transaction, user).await?;
    responses::lock_of_user(&transaction, user).await?;
    usage_records::estimate_running(&transaction, user, at).await?;
    responses::delete_of_user(&transaction, user).await?;
    idempotency_keys::delete_of_user(&transaction, user).await?;
    user::Entity::delete_by_id(user_key(user)).exec(&transaction).await?;
    transaction.commit().await?;
    if pools.write.get_database_backend() == DbBackend::Sqlite {
        // The write-ahead log still has the pages with the user's data key.
        pools.write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    }
    Ok(found)
}

fn record(row: user::Model) -> Result<UserRecord, Error> {
    Ok(UserRecord {
        id: user_id(&row.id, "users.id")?,
        name: row.name,
        created_at: Timestamp::from_micros(row.created_at),
        deleted_at: row.deleted_at.map(Timestamp::from_micros),
    })
}
