//! Idempotency keys: claimed with an admission, released with an ending, deleted after their response.

use std::collections::{HashMap, HashSet};

use antiphon_entities::idempotency_key;
use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, QueryResult, Statement, Value,
};

use super::{
    SqlStore,
    columns::{bigint, response_id, response_ids, response_key, user_key},
    connect::Pools,
    error::SqlError,
    wanted::{
        ColumnKind::{Bytes as Blob, Number, Text},
        Columns, WantedRows,
    },
};
use antiphon_domain::Timestamp;
use antiphon_protocol::{ResponseId, UserId};
use antiphon_store::{AdmissionRecord, Error, IdempotencyKeyStore, IdempotencyRecord, KeyState};

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

/// What became of the claims of a group's admissions.
#[derive(Debug, Default)]
pub(super) struct KeyClaims {
    claimed: HashSet<ResponseId>,
    /// The responses that have the keys of the others.
    holders: HashMap<ResponseId, ResponseId>,
}

impl KeyClaims {
    /// What the admission's key allows.
    pub(super) fn state_for(&self, admission: &AdmissionRecord) -> KeyState {
        let id = admission.row.id;
        if admission.idempotency.is_none() || self.claimed.contains(&id) {
            KeyState::Free
        } else if self.holders.get(&id) == Some(&id) {
            KeyState::Own
        } else {
            KeyState::Taken
        }
    }

    /// Whether the admission has claimed a key that none of its entries has been settled with.
    pub(super) fn take_claim(&mut self, id: ResponseId) -> bool {
        self.claimed.remove(&id)
    }
}

/// Claims the keys of admissions, in the order of all locks. Where another transaction is about to claim one of them
/// too, this waits for that one.
pub(super) async fn claim(
    transaction: &DatabaseTransaction,
    admissions: &[&AdmissionRecord],
) -> Result<KeyClaims, SqlError> {
    const INSERT: &str = "
INSERT INTO idempotency_keys (user_id, key, response, fingerprint, kept, created_at)
SELECT w.user_id, w.key, w.response, w.fingerprint, w.kept = 1, w.created_at FROM wanted w
WHERE TRUE
ORDER BY w.user_id, w.key, w.place
ON CONFLICT DO NOTHING
RETURNING response";
    let rows = admissions.iter().enumerate().filter_map(|(place, admission)| claim_values(place, admission));
    let claimed = WantedRows::new(CLAIM, rows).query(transaction, INSERT).await?;
    let claimed = response_ids(&claimed, "response")?;
    let others = admissions.iter().filter(|admission| !claimed.contains(&admission.row.id));
    let holders = holders(transaction, others).await?;
    Ok(KeyClaims { claimed, holders })
}

const CLAIM: Columns<7> = [
    ("place", Number),
    ("user_id", Text),
    ("key", Blob),
    ("response", Text),
    ("fingerprint", Blob),
    ("kept", Number),
    ("created_at", Number),
];

fn claim_values(place: usize, AdmissionRecord { row, idempotency, .. }: &AdmissionRecord) -> Option<[Value; 7]> {
    let claimed = (*idempotency)?;
    Some([
        bigint(place as u64).into(),
        user_key(row.user).into(),
        claimed.key.to_vec().into(),
        response_key(row.id).into(),
        claimed.fingerprint.to_vec().into(),
        i64::from(row.stored).into(),
        row.created_at.as_micros().into(),
    ])
}

/// The responses that have the keys that the admissions want.
async fn holders<'a>(
    transaction: &DatabaseTransaction,
    admissions: impl Iterator<Item = &'a &'a AdmissionRecord>,
) -> Result<HashMap<ResponseId, ResponseId>, SqlError> {
    const SQL: &str = "
SELECT w.response AS claimant, k.response AS holder
FROM wanted w JOIN idempotency_keys k ON k.user_id = w.user_id AND k.key = w.key";
    let wanted = admissions.filter_map(|AdmissionRecord { row, idempotency, .. }| {
        let claimed = (*idempotency)?;
        Some([response_key(row.id).into(), user_key(row.user).into(), claimed.key.to_vec().into()])
    });
    let wanted = WantedRows::new([("response", Text), ("user_id", Text), ("key", Blob)], wanted);
    let rows = wanted.query(transaction, SQL).await?;
    let id = |row: &QueryResult, column| -> Result<ResponseId, SqlError> {
        Ok(response_id(&row.try_get::<String>("", column)?, "idempotency_keys.response")?)
    };
    rows.iter().map(|row| Ok((id(row, "claimant")?, id(row, "holder")?))).collect::<Result<_, SqlError>>()
}

/// Locks the keys that responses have claimed, in the order of all locks.
pub(super) async fn lock_of(
    transaction: &DatabaseTransaction,
    responses: impl IntoIterator<Item = ResponseId>,
) -> Result<(), SqlError> {
    const SQL: &str = "
SELECT k.response FROM wanted w JOIN idempotency_keys k ON k.response = w.response
ORDER BY k.user_id, k.key FOR UPDATE OF k";
    // SQLite has one writer, which locks everything.
    if transaction.get_database_backend() == DbBackend::Postgres {
        of_responses(responses).query(transaction, SQL).await?;
    }
    Ok(())
}

/// Releases the keys that responses have claimed.
pub(super) async fn release(transaction: &DatabaseTransaction, responses: &[ResponseId]) -> Result<(), SqlError> {
    const SQL: &str = "DELETE FROM idempotency_keys WHERE response IN (SELECT w.response FROM wanted w)";
    of_responses(responses.iter().copied()).execute(transaction, SQL).await.map(drop)
}

/// Marks the keys of responses that are about to be deleted: they expire when they are old enough.
pub(super) async fn keep_no_longer(
    transaction: &DatabaseTransaction,
    responses: &[ResponseId],
) -> Result<(), SqlError> {
    const SQL: &str = "UPDATE idempotency_keys SET kept = FALSE WHERE response IN (SELECT w.response FROM wanted w)";
    of_responses(responses.iter().copied()).execute(transaction, SQL).await.map(drop)
}

fn of_responses(responses: impl IntoIterator<Item = ResponseId>) -> WantedRows<1> {
    WantedRows::new([("response", Text)], responses.into_iter().map(|id| [response_key(id).into()]))
}

/// Deletes at most `limit` keys of a user, and returns how many.
pub(super) async fn delete_some_of_user(db: &DatabaseConnection, user: UserId, limit: u32) -> Result<u64, SqlError> {
    const SQL: &str = "
DELETE FROM idempotency_keys WHERE user_id = $1 AND key IN (
    SELECT key FROM idempotency_keys WHERE user_id = $1 ORDER BY key LIMIT $2";
    let backend = db.get_database_backend();
    // In the order of all locks.
    let sql = SQL.to_owned() + if backend == DbBackend::Postgres { " FOR UPDATE)" } else { ")" };
    let values = [user_key(user).into(), i64::from(limit).into()];
    Ok(db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?.rows_affected())
}

async fn forget(pools: &Pools, before: Timestamp) -> Result<u64, SqlError> {
    let backend = pools.write.get_database_backend();
    // Nodes that delete keys at the same time do not wait for each other, nor for those that lock keys in their order.
    let sql = FORGET.to_owned() + if backend == DbBackend::Postgres { " FOR UPDATE SKIP LOCKED)" } else { ")" };
    let statement = Statement::from_sql_and_values(backend, sql, [before.as_micros().into()]);
    Ok(pools.write.execute_raw(statement).await?.rows_affected())
}
