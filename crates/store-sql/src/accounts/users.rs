//! Users.

use antiphon_entities::user;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryFilter,
    sea_query::OnConflict,
};

use super::data_keys;
use crate::{
    columns::{user_id, user_key},
    connect::Pools,
    error::SqlError,
    idempotency_keys, responses,
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

/// Deletes a user. The user's data key and API keys are deleted with the row.
pub(super) async fn delete(pools: &Pools, user: UserId) -> Result<bool, SqlError> {
    let transaction = pools.begin().await?;
    let deleted = user::Entity::delete_by_id(user_key(user)).exec(&transaction).await?;
    responses::delete_of_user(&transaction, user).await?;
    idempotency_keys::delete_of_user(&transaction, user).await?;
    transaction.commit().await?;
    if pools.write.get_database_backend() == DbBackend::Sqlite {
        // The write-ahead log still has the pages with the user's data key.
        pools.write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    }
    Ok(deleted.rows_affected == 1)
}

fn record(row: user::Model) -> Result<UserRecord, Error> {
    Ok(UserRecord {
        id: user_id(&row.id, "users.id")?,
        name: row.name,
        created_at: Timestamp::from_micros(row.created_at),
    })
}
