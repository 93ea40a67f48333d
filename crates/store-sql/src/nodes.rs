//! Nodes: epochs, and leases by the database's own clock, since nodes may disagree about the time of day.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{SqlStore, connect::Pools, error::SqlError};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_store::{Error, NodeStore};

#[async_trait]
impl NodeStore for SqlStore {
    async fn next_epoch(&self, node: &str, lease: Duration) -> Result<i64, Error> {
        let node = node.to_owned();
        let next = move |pools: Arc<Pools>| {
            let node = node.clone();
            async move { next_epoch(&pools, node, lease).await }
        };
        // A server has to begin before it can delete anything.
        self.call_in_reserve("next_epoch", next).await
    }

    async fn renew_lease(&self, node: &str, epoch: i64, lease: Duration) -> Result<bool, Error> {
        let node = node.to_owned();
        self.call("renew_lease", move |pools| async move { renew_lease(&pools, node, epoch, lease).await }).await
    }

    async fn has_lease(&self, node: &str) -> Result<bool, Error> {
        let node = node.to_owned();
        self.call("has_lease", move |pools| async move { has_lease(&pools, node).await }).await
    }
}

/// The time now in microseconds of the Unix epoch. On PostgreSQL it is the statement's own and not that of its
/// transaction, which may have waited.
pub(super) fn now(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
    } else {
        "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)"
    }
}

/// A lease in microseconds, as a statement takes it.
fn micros(lease: Duration) -> i64 {
    // The limit is some ten thousand years: a longer lease plus the time would not fit.
    i64::try_from(lease.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

/// Takes the next epoch. Epochs are unique among all nodes, because nothing else tells owners apart.
async fn next_epoch(pools: &Pools, node: String, lease: Duration) -> Result<i64, SqlError> {
    let transaction = pools.begin().await?;
    let backend = transaction.get_database_backend();
    if backend == DbBackend::Postgres {
        // Nodes do this one after the other, or two could find the same largest epoch.
        transaction.execute_unprepared("LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    let next = format!(
        "
INSERT INTO nodes (node, epoch, lease_until)
SELECT $1, COALESCE(MAX(epoch), 0) + 1, {now} + $2 FROM nodes WHERE TRUE
ON CONFLICT (node) DO UPDATE SET epoch = excluded.epoch, lease_until = excluded.lease_until
RETURNING epoch",
        now = now(backend)
    );
    let values = [node.into(), micros(lease).into()];
    let taken = transaction.query_one_raw(Statement::from_sql_and_values(backend, next, values)).await?;
    let epoch = taken.ok_or(Error::Corrupt { what: "nodes.epoch" })?.try_get("", "epoch")?;
    reach(FaultPoint::EpochTaken);
    transaction.commit().await?;
    Ok(epoch)
}

async fn has_lease(pools: &Pools, node: String) -> Result<bool, SqlError> {
    let backend = pools.read.get_database_backend();
    let sql = format!("SELECT node FROM nodes WHERE node = $1 AND lease_until > {}", now(backend));
    let found = pools.read.query_one_raw(Statement::from_sql_and_values(backend, sql, [node.into()])).await?;
    Ok(found.is_some())
}

async fn renew_lease(pools: &Pools, node: String, epoch: i64, lease: Duration) -> Result<bool, SqlError> {
    let backend = pools.write.get_database_backend();
    let sql = format!("UPDATE nodes SET lease_until = {} + $1 WHERE node = $2 AND epoch = $3", now(backend));
    let values = [micros(lease).into(), node.into(), epoch.into()];
    let updated = pools.write.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(updated.rows_affected() == 1)
}
