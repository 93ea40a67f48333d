//! Taking epochs.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::fault::{self, FaultPoint};
use crate::store::Error;
use crate::store::sql::{connect::Pools, lease};

/// Epochs are unique among all nodes: owners are told apart by nothing else.
pub(in crate::store::sql) async fn next_epoch(pools: &Pools, node: String, lease: Duration) -> Result<i64, Error> {
    let transaction = pools.begin().await?;
    let backend = transaction.get_database_backend();
    if backend == DbBackend::Postgres {
        // One after the other, or two nodes could find the same largest epoch.
        transaction.execute_unprepared("LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    let next = format!(
        "
INSERT INTO nodes (node, epoch, lease_until)
SELECT $1, COALESCE(MAX(epoch), 0) + 1, {now} + $2 FROM nodes WHERE TRUE
ON CONFLICT (node) DO UPDATE SET epoch = excluded.epoch, lease_until = excluded.lease_until
RETURNING epoch",
        now = lease::now(backend)
    );
    let values = [node.into(), lease::micros(lease).into()];
    let taken = transaction.query_one_raw(Statement::from_sql_and_values(backend, next, values)).await?;
    let epoch = taken.ok_or(Error::Corrupt { what: "nodes.epoch" })?.try_get("", "epoch")?;
    fault::reach(FaultPoint::EpochTaken);
    transaction.commit().await?;
    Ok(epoch)
}
