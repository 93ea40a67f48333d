//! Idempotency keys: claimed with an admission, given back with an ending, forgotten after their response.

use antiphon_entities::idempotency_key;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait,
    QueryFilter, Statement, sea_query::Expr, sea_query::OnConflict,
};

use super::{
    commit::inserted,
    connect::Pools,
    rows::{key, user_key, uuid},
};
use crate::domain::Timestamp;
use crate::protocol::{ResponseId, UserId};
use crate::store::{AdmissionRecord, Error, IdempotencyRecord};

/// The oldest ones, by the index that holds no others.
const FORGET: &str = "
DELETE FROM idempotency_keys WHERE (user_id, key) IN (
    SELECT user_id, key FROM idempotency_keys WHERE NOT kept AND created_at < $1 ORDER BY created_at LIMIT 1000";

pub(super) async fn find(
    db: &DatabaseConnection,
    user: UserId,
    digest: &[u8; 32],
) -> Result<Option<IdempotencyRecord>, Error> {
    let row = idempotency_key::Entity::find_by_id((user_key(user), digest.to_vec())).one(db).await?;
    row.map(record).transpose()
}

fn record(row: idempotency_key::Model) -> Result<IdempotencyRecord, Error> {
    let fingerprint = row.fingerprint.try_into();
    Ok(IdempotencyRecord {
        response: ResponseId::from_uuid(uuid(&row.response, "idempotency_keys.response")?),
        fingerprint: fingerprint.map_err(|_| Error::Corrupt { what: "idempotency_keys.fingerprint" })?,
        created_at: Timestamp::from_micros(row.created_at),
    })
}

/// Whether the admission has the key that it claims, if it claims one. Where another transaction is about to claim it
/// too, this waits for that one.
pub(super) async fn claim(savepoint: &DatabaseTransaction, admission: &AdmissionRecord) -> Result<bool, Error> {
    let (Some(claim), row) = (admission.claim, &admission.row) else { return Ok(true) };
    let claimed = idempotency_key::ActiveModel {
        user_id: Set(user_key(row.user)),
        key: Set(claim.key.to_vec()),
        response: Set(key(row.id)),
        fingerprint: Set(claim.fingerprint.to_vec()),
        kept: Set(row.stored),
        created_at: Set(row.created_at.as_micros()),
    };
    let nothing = OnConflict::new().do_nothing().to_owned();
    let insert = idempotency_key::Entity::insert(claimed).on_conflict(nothing);
    Ok(inserted(insert.exec_without_returning(savepoint).await)? == 1)
}

/// Gives back what the response has claimed.
pub(super) async fn release(savepoint: &DatabaseTransaction, id: ResponseId) -> Result<(), Error> {
    let claimed = idempotency_key::Column::Response.eq(key(id));
    idempotency_key::Entity::delete_many().filter(claimed).exec(savepoint).await?;
    Ok(())
}

/// The response is about to be deleted: its key will be forgotten when it is old enough.
pub(super) async fn keep_no_more(transaction: &DatabaseTransaction, id: ResponseId) -> Result<(), Error> {
    let update = idempotency_key::Entity::update_many().col_expr(idempotency_key::Column::Kept, Expr::value(false));
    update.filter(idempotency_key::Column::Response.eq(key(id))).exec(transaction).await?;
    Ok(())
}

pub(super) async fn forget(pools: &Pools, before: Timestamp) -> Result<u64, Error> {
    let backend = pools.write.get_database_backend();
    // Nodes that forget at the same time do not wait for each other.
    let sql = FORGET.to_owned() + if backend == DbBackend::Postgres { " FOR UPDATE SKIP LOCKED)" } else { ")" };
    let statement = Statement::from_sql_and_values(backend, sql, [before.as_micros().into()]);
    Ok(pools.write.execute_raw(statement).await?.rows_affected())
}
