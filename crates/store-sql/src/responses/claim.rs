//! Giving a response another owner.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};

use super::rows;
use crate::{columns::response_key, error::SqlError, nodes};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_store::{ClaimRecord, CommitOutcome, Conflict};

pub(crate) async fn claim(transaction: &DatabaseTransaction, claim: &ClaimRecord) -> Result<CommitOutcome, SqlError> {
    let backend = transaction.get_database_backend();
    let values = [
        claim.node.clone().into(),
        claim.epoch.into(),
        response_key(claim.id).into(),
        claim.from_epoch.into(),
        claim.fold_version.into(),
    ];
    let updated = transaction.execute_raw(Statement::from_sql_and_values(backend, sql(backend), values)).await?;
    reach(FaultPoint::ClaimWritten);
    if updated.rows_affected() == 1 {
        return Ok(CommitOutcome::Committed);
    }
    let row = rows::find(transaction, claim.id).await?;
    let claimed = row.as_ref().is_some_and(|row| !row.status.is_terminal() && row.claimed_by(claim));
    if claimed {
        return Ok(CommitOutcome::Committed);
    }
    Ok(CommitOutcome::Conflict(match Conflict::of(row.as_ref(), claim.from_epoch) {
        // Only the owner or a lease can be in conflict.
        Conflict::Position | Conflict::KeyTaken | Conflict::Owner => Conflict::Owner,
        conflict @ (Conflict::Missing | Conflict::Ended) => conflict,
    }))
}

/// The statement. Its conditions: the new owner has a lease, and the old one is the same node or has none.
fn sql(backend: DbBackend) -> String {
    format!(
        "
UPDATE responses SET node = $1, epoch = $2, fold_version = CASE WHEN fold_version < $5 THEN $5 ELSE fold_version END
WHERE uuid = $3 AND epoch = $4 AND status IN ('queued', 'in_progress')
AND EXISTS (SELECT 1 FROM nodes c WHERE c.node = $1 AND c.epoch = $2 AND c.lease_until > {now})
AND (node = $1 OR NOT EXISTS (SELECT 1 FROM nodes o WHERE o.node = responses.node AND o.lease_until > {now}))",
        now = nodes::now(backend)
    )
}
