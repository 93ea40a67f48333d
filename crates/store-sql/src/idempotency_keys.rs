//! Idempotency keys: claimed with an admission, released with an ending, deleted after their response.

use antiphon_entities::idempotency_key;
use async_trait::async_trait;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait,
    QueryFilter, Statement, sea_query::Expr, sea_query::OnConflict,
};

use super::{
    SqlStore,
    columns::{inserted, response_id, response_key, user_key},
    connect::Pools,
    error::SqlError,
};
use antiphon_domain::Timestamp;
use antiphon_protocol::{ResponseId, UserId};
use antiphon_store::{AdmissionRecord, Error, IdempotencyKeyStore, IdempotencyRecord};

/// Deletes the oldest keys whose response can't be read, by the index of those keys.
const FORGET: &str = "
DELETE FROM idempotency_keys WHERE (user_id, key) IN (
    SELECT user_id, key FROM idempotency_keys WHERE NOT kept AND created_at < $1 ORDER BY created_at LIMIT 1000";

#[async_trait]
impl IdempotencyKeyStore for SqlStore {
    async fn idempotency_key(&self, user: UserId, key: &[u8; 32]) -> Result<Option<IdempotencyRecord>, Error> {
        let key = *key;
        self.call("idempotency_key", move |pools| async move { find(&pools.read, user, &key).await }).await
    }

    async fn forget_idempotency_keys(&self, before: Timestamp) -> Result<u64, Error> {
        self.call("forget_idempotency_keys", move |pools| async move { forget(&pools, before).await }).await
    }
}

async fn find(db: &DatabaseConnection, user: UserId, digest: &[u8; 32]) -> Result<Option<IdempotencyRecord>, SqlError> {
    let row = idempotency_key::Entity::find_by_id((user_key(user), digest.to_vec())).one(db).await?;
    Ok(row.map(record).transpose()?)
}

fn record(row: idempotency_key::Model) -> Result<IdempotencyRecord, Error> {
    let fingerprint = row.fingerprint.try_into();
    Ok(IdempotencyRecord {
        response: response_id(&row.response, "idempotency_keys.response")?,
        fingerprint: fingerprint.map_err(|_| Error::Corrupt { what: "idempotency_keys.fingerprint" })?,
        created_at: Timestamp::from_micros(row.created_at),
    })
}

/// Claims the admission's key, if it has one. False if another response has the key. Where another transaction is about
/// to claim it too, this waits for that one.
pub(super) async fn claim(savepoint: &DatabaseTransaction, admission: &AdmissionRecord) -> Result<bool, SqlError> {
    let (Some(claimed), row) = (admission.idempotency, &admission.row) else { return Ok(true) };
    let claimed = idempotency_key::ActiveModel {
        user_id: Set(user_key(row.user)),
        key: Set(claimed.key.to_vec()),
        response: Set(response_key(row.id)),
        fingerprint: Set(claimed.fingerprint.to_vec()),
        kept: Set(row.stored),
        created_at: Set(row.created_at.as_micros()),
    };
    let nothing = OnConflict::new().do_nothing().to_owned();
    let insert = idempotency_key::Entity::insert(claimed).on_conflict(nothing);
    Ok(inserted(insert.exec_without_returning(savepoint).await)? == 1)
}

/// Releases the key that the response has claimed.
pub(super) async fn release(savepoint: &DatabaseTransaction, id: ResponseId) -> Result<(), SqlError> {
    let claimed = idempotency_key::Column::Response.eq(response_key(id));
    idempotency_key::Entity::delete_many().filter(claimed).exec(savepoint).await?;
    Ok(())
}

/// Marks the key of a response that is about to be deleted: it expires when it is old enough.
pub(super) async fn keep_no_longer(transaction: &DatabaseTransaction, id: ResponseId) -> Result<(), SqlError> {
    let update = idempotency_key::Entity::update_many().col_expr(idempotency_key::Column::Kept, Expr::value(false));
    update.filter(idempotency_key::Column::Response.eq(response_key(id))).exec(transaction).await?;
    Ok(())
}

/// Deletes the keys of a user.
pub(super) async fn delete_of_user(transaction: &DatabaseTransaction, user: UserId) -> Result<(), SqlError> {
    let of_user = idempotency_key::Column::UserId.eq(user_key(user));
    idempotency_key::Entity::delete_many().filter(of_user).exec(transaction).await?;
    Ok(())
}

async fn forget(pools: &Pools, before: Timestamp) -> Result<u64, SqlError> {
    let backend = pools.write.get_database_backend();
    // Nodes that delete keys at the same time do not wait for each other.
    let sql = FORGET.to_owned() + if backend == DbBackend::Postgres { " FOR UPDATE SKIP LOCKED)" } else { ")" };
    let statement = Statement::from_sql_and_values(backend, sql, [before.as_micros().into()]);
    Ok(pools.write.execute_raw(statement).await?.rows_affected())
}
