//! Users and keys in the same database.

use antiphon_entities::{api_key, idempotency_key, response, user, user_key};
use async_trait::async_trait;
use bytes::Bytes;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, SqlErr,
    sea_query::{Expr, Func, OnConflict},
};

use super::{
    SqlStore,
    connect::Pools,
    rows::{user_key as key, uuid},
};
use crate::access::{Accounts, ApiKeyRecord, Error, UserRecord, WrappedKey};
use crate::domain::Timestamp;
use crate::protocol::UserId;
use crate::store;

#[async_trait]
impl Accounts for SqlStore {
    async fn create_user(&self, user: UserRecord, data_key: WrappedKey) -> Result<(), Error> {
        let created =
            self.call("create_user", |pools| async move { create_user(&pools, user, data_key).await }).await?;
        if created { Ok(()) } else { Err(Error::NameTaken) }
    }

    async fn users(&self) -> Result<Vec<UserRecord>, Error> {
        let rows = self.call("users", |pools| async move { Ok(user::Entity::find().all(&pools.read).await?) }).await?;
        let mut users = rows.into_iter().map(user_record).collect::<Result<Vec<UserRecord>, store::Error>>()?;
        // Not by the database: its order of texts depends on its locale.
        users.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(users)
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>, Error> {
        let of_name = user::Entity::find().filter(user::Column::Name.eq(name));
        let row = self.call("user_by_name", |pools| async move { Ok(of_name.one(&pools.read).await?) }).await?;
        Ok(row.map(user_record).transpose()?)
    }

    async fn delete_user(&self, user: UserId) -> Result<bool, Error> {
        Ok(self.call("delete_user", move |pools| async move { delete_user(&pools, user).await }).await?)
    }

    async fn create_api_key(&self, record: ApiKeyRecord) -> Result<(), Error> {
        let created =
            self.call("create_api_key", |pools| async move { create_api_key(&pools.write, record).await }).await?;
        if created { Ok(()) } else { Err(Error::UnknownUser) }
    }

    async fn api_key(&self, id: &str) -> Result<Option<ApiKeyRecord>, Error> {
        let id = id.to_owned();
        let row = self
            .call("api_key", |pools| async move { Ok(api_key::Entity::find_by_id(id).one(&pools.read).await?) })
            .await?;
        Ok(row.map(api_key_record).transpose()?)
    }

    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, Error> {
        let rows = self
            .call("api_keys", |pools| async move {
                let oldest_first =
                    api_key::Entity::find().order_by_asc(api_key::Column::CreatedAt).order_by_asc(api_key::Column::Id);
                Ok(oldest_first.all(&pools.read).await?)
            })
            .await?;
        rows.into_iter().map(|row| Ok(api_key_record(row)?)).collect()
    }

    async fn revoke_api_key(&self, id: &str, at: Timestamp) -> Result<bool, Error> {
        let id = id.to_owned();
        let revoke = |pools: std::sync::Arc<Pools>| async move {
            let kept = Func::coalesce([Expr::col(api_key::Column::RevokedAt), Expr::val(at.as_micros())]);
            let updated = api_key::Entity::update_many()
                .col_expr(api_key::Column::RevokedAt, kept.into())
                .filter(api_key::Column::Id.eq(id))
                .exec(&pools.write)
                .await?;
            Ok(updated.rows_affected == 1)
        };
        Ok(self.call("revoke_api_key", revoke).await?)
    }

    async fn data_key(&self, user: UserId) -> Result<Option<WrappedKey>, Error> {
        let row = self
            .call("data_key", move |pools| async move {
                Ok(user_key::Entity::find_by_id(key(user)).one(&pools.read).await?)
            })
            .await?;
        Ok(row.map(wrapped_key).transpose()?)
    }

    async fn data_keys(&self) -> Result<Vec<(UserId, WrappedKey)>, Error> {
        let rows = self
            .call("data_keys", |pools| async move {
                Ok(user_key::Entity::find().order_by_asc(user_key::Column::UserId).all(&pools.read).await?)
            })
            .await?;
        rows.into_iter().map(|row| Ok((user_id(&row.user_id, "user_keys.user_id")?, wrapped_key(row)?))).collect()
    }

    async fn rewrap_data_key(&self, user: UserId, old: &WrappedKey, new: WrappedKey) -> Result<bool, Error> {
        let old = old.clone();
        let rewrap = |pools: std::sync::Arc<Pools>| async move {
            let wrapped = user_key::ActiveModel {
                key_version: Set(i64::from(new.key_version)),
                bytes: Set(new.bytes.to_vec()),
                ..Default::default()
            };
            let updated = user_key::Entity::update_many()
                .set(wrapped)
                .filter(user_key::Column::UserId.eq(key(user)))
                .filter(user_key::Column::KeyVersion.eq(i64::from(old.key_version)))
                .filter(user_key::Column::Bytes.eq(old.bytes.to_vec()))
                .exec(&pools.write)
                .await?;
            Ok(updated.rows_affected == 1)
        };
        Ok(self.call("rewrap_data_key", rewrap).await?)
    }
}

/// False if another user has the name.
async fn create_user(pools: &Pools, user: UserRecord, data_key: WrappedKey) -> Result<bool, store::Error> {
    let transaction = pools.begin().await?;
    let row =
        user::ActiveModel { id: Set(key(user.id)), name: Set(user.name), created_at: Set(user.created_at.as_micros()) };
    let unless_taken = OnConflict::column(user::Column::Name).do_nothing().to_owned();
    match user::Entity::insert(row).on_conflict(unless_taken).exec_without_returning(&transaction).await {
        Ok(0) | Err(DbErr::RecordNotInserted) => return Ok(false),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let data_key = user_key::ActiveModel {
        user_id: Set(key(user.id)),
        key_version: Set(i64::from(data_key.key_version)),
        bytes: Set(data_key.bytes.to_vec()),
    };
    user_key::Entity::insert(data_key).exec_without_returning(&transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn delete_user(pools: &Pools, user: UserId) -> Result<bool, store::Error> {
    let transaction = pools.begin().await?;
    let deleted = user::Entity::delete_by_id(key(user)).exec(&transaction).await?;
    response::Entity::delete_many().filter(response::Column::UserId.eq(key(user))).exec(&transaction).await?;
    let keys = idempotency_key::Entity::delete_many();
    keys.filter(idempotency_key::Column::UserId.eq(key(user))).exec(&transaction).await?;
    transaction.commit().await?;
    if pools.write.get_database_backend() == DbBackend::Sqlite {
        // The write-ahead log still has the pages with the user's data key.
        pools.write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    }
    Ok(deleted.rows_affected == 1)
}

/// False if there is no such user.
async fn create_api_key(db: &DatabaseConnection, record: ApiKeyRecord) -> Result<bool, store::Error> {
    let row = api_key::ActiveModel {
        id: Set(record.id),
        user_id: Set(key(record.user)),
        name: Set(record.name),
        hash: Set(record.hash.to_vec()),
        created_at: Set(record.created_at.as_micros()),
        revoked_at: Set(record.revoked_at.map(Timestamp::as_micros)),
    };
    match api_key::Entity::insert(row).exec_without_returning(db).await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_))) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn user_record(row: user::Model) -> Result<UserRecord, store::Error> {
    Ok(UserRecord {
        id: user_id(&row.id, "users.id")?,
        name: row.name,
        created_at: Timestamp::from_micros(row.created_at),
    })
}

fn api_key_record(row: api_key::Model) -> Result<ApiKeyRecord, store::Error> {
    Ok(ApiKeyRecord {
        user: user_id(&row.user_id, "api_keys.user_id")?,
        id: row.id,
        name: row.name,
        hash: Bytes::from(row.hash),
        created_at: Timestamp::from_micros(row.created_at),
        revoked_at: row.revoked_at.map(Timestamp::from_micros),
    })
}

fn wrapped_key(row: user_key::Model) -> Result<WrappedKey, store::Error> {
    let corrupt = store::Error::Corrupt { what: "user_keys.key_version" };
    Ok(WrappedKey { key_version: u32::try_from(row.key_version).map_err(|_| corrupt)?, bytes: Bytes::from(row.bytes) })
}

fn user_id(text: &str, what: &'static str) -> Result<UserId, store::Error> {
    Ok(UserId::from_uuid(uuid(text, what)?))
}
