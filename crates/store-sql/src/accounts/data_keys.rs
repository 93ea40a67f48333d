//! Data keys.

use antiphon_entities::data_key;
use bytes::Bytes;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
};

use crate::{
    columns::{user_id, user_key},
    error::SqlError,
};
use antiphon_protocol::UserId;
use antiphon_store::{Error, WrappedKey};

/// Inserts the data key of a new user.
pub(super) async fn insert(
    transaction: &DatabaseTransaction,
    user: UserId,
    wrapped: &WrappedKey,
) -> Result<(), SqlError> {
    let row = data_key::ActiveModel {
        user_id: Set(user_key(user)),
        key_version: Set(i64::from(wrapped.key_version)),
        bytes: Set(wrapped.bytes.to_vec()),
    };
    data_key::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

/// Deletes the data key of a user.
pub(super) async fn delete(transaction: &DatabaseTransaction, user: UserId) -> Result<(), SqlError> {
    data_key::Entity::delete_by_id(user_key(user)).exec(transaction).await?;
    Ok(())
}

pub(super) async fn find(db: &DatabaseConnection, user: UserId) -> Result<Option<WrappedKey>, SqlError> {
    let row = data_key::Entity::find_by_id(user_key(user)).one(db).await?;
    Ok(row.map(wrapped_key).transpose()?)
}

pub(super) async fn all(db: &DatabaseConnection) -> Result<Vec<(UserId, WrappedKey)>, SqlError> {
    let rows = data_key::Entity::find().order_by_asc(data_key::Column::UserId).all(db).await?;
    let with_user = |row: data_key::Model| Ok((user_id(&row.user_id, "user_keys.user_id")?, wrapped_key(row)?));
    Ok(rows.into_iter().map(with_user).collect::<Result<_, Error>>()?)
}

/// Replaces a user's data key. False if it is not `old` any more.
pub(super) async fn replace(
    db: &DatabaseConnection,
    user: UserId,
    old: &WrappedKey,
    new: WrappedKey,
) -> Result<bool, SqlError> {
    let wrapped = data_key::ActiveModel {
        key_version: Set(i64::from(new.key_version)),
        bytes: Set(new.bytes.to_vec()),
        ..Default::default()
    };
    let updated = data_key::Entity::update_many()
        .set(wrapped)
        .filter(data_key::Column::UserId.eq(user_key(user)))
        .filter(data_key::Column::KeyVersion.eq(i64::from(old.key_version)))
        .filter(data_key::Column::Bytes.eq(old.bytes.to_vec()))
        .exec(db)
        .await?;
    Ok(updated.rows_affected == 1)
}

fn wrapped_key(row: data_key::Model) -> Result<WrappedKey, Error> {
    let corrupt = Error::Corrupt { what: "user_keys.key_version" };
    Ok(WrappedKey { key_version: u32::try_from(row.key_version).map_err(|_| corrupt)?, bytes: Bytes::from(row.bytes) })
}
