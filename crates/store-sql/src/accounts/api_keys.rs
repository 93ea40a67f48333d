//! API keys.

use antiphon_entities::api_key;
use bytes::Bytes;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, Func},
};

use super::users::lock_present;
use crate::{
    columns::{user_id, user_key},
    connect::Pools,
    error::SqlError,
};
use antiphon_domain::Timestamp;
use antiphon_store::{ApiKeyRecord, Error};

/// Inserts an API key. False if there is no such user, or it is being deleted.
pub(super) async fn create(pools: &Pools, key: ApiKeyRecord) -> Result<bool, SqlError> {
    let transaction = pools.begin().await?;
    if lock_present(&transaction, [key.user]).await?.is_empty() {
        return Ok(false);
    }
    let row = api_key::ActiveModel {
        id: Set(key.id),
        user_id: Set(user_key(key.user)),
        name: Set(key.name),
        hash: Set(key.hash.to_vec()),
        created_at: Set(key.created_at.as_micros()),
        revoked_at: Set(key.revoked_at.map(Timestamp::as_micros)),
    };
    api_key::Entity::insert(row).exec_without_returning(&transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) async fn find(db: &DatabaseConnection, id: String) -> Result<Option<ApiKeyRecord>, SqlError> {
    let row = api_key::Entity::find_by_id(id).one(db).await?;
    Ok(row.map(record).transpose()?)
}

/// All API keys, oldest first.
pub(super) async fn all(db: &DatabaseConnection) -> Result<Vec<ApiKeyRecord>, SqlError> {
    let oldest_first =
        api_key::Entity::find().order_by_asc(api_key::Column::CreatedAt).order_by_asc(api_key::Column::Id);
    let rows = oldest_first.all(db).await?;
    Ok(rows.into_iter().map(record).collect::<Result<_, Error>>()?)
}

/// Revokes an API key. False if there is no such key.
pub(super) async fn revoke(db: &DatabaseConnection, id: String, at: Timestamp) -> Result<bool, SqlError> {
    let kept = Func::coalesce([Expr::col(api_key::Column::RevokedAt), Expr::val(at.as_micros())]);
    let updated = api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, kept.into())
        .filter(api_key::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(updated.rows_affected == 1)
}

fn record(row: api_key::Model) -> Result<ApiKeyRecord, Error> {
    Ok(ApiKeyRecord {
        user: user_id(&row.user_id, "api_keys.user_id")?,
        id: row.id,
        name: row.name,
        hash: Bytes::from(row.hash),
        created_at: Timestamp::from_micros(row.created_at),
        revoked_at: row.revoked_at.map(Timestamp::from_micros),
    })
}
