//! Giving responses other owners.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::{
    columns::{response_ids, response_key},
    error::SqlError,
    nodes,
    wanted::{
        ColumnKind::{Number, Text},
        Columns, WantedRows,
    },
};
use antiphon_protocol::ResponseId;
use antiphon_store::ClaimRecord;

const COLUMNS: Columns<5> =
    [("response", Text), ("from_epoch", Number), ("node", Text), ("epoch", Number), ("fold_version", Number)];

/// Gives responses to their claimants, and returns those that could be given: the new owner has a lease, and the old
/// one is the same node or has none. What a former owner set aside is not any more: the new one could read it.
pub(crate) async fn claim<'a>(
    transaction: &DatabaseTransaction,
    claims: impl IntoIterator<Item = &'a ClaimRecord>,
) -> Result<HashSet<ResponseId>, SqlError> {
    let sql = format!(
        "
UPDATE responses AS r SET node = w.node, epoch = w.epoch,
    fold_version = CASE WHEN r.fold_version < w.fold_version THEN w.fold_version ELSE r.fold_version END,
    set_aside_at = CASE WHEN r.epoch = w.epoch THEN r.set_aside_at END,
    set_aside_reason = CASE WHEN r.epoch = w.epoch THEN r.set_aside_reason END,
    retry_wanted_at = CASE WHEN r.epoch = w.epoch THEN r.retry_wanted_at END
FROM wanted w
WHERE r.uuid = w.response AND r.epoch = w.from_epoch AND r.status IN ('queued', 'in_progress')
AND EXISTS (SELECT 1 FROM nodes c WHERE c.node = w.node AND c.epoch = w.epoch AND c.lease_until > {now})
AND (w.node = r.node OR NOT EXISTS (SELECT 1 FROM nodes o WHERE o.node = r.node AND o.lease_until > {now}))
RETURNING uuid",
        now = nodes::now(transaction.get_database_backend())
    );
    let rows = claims.into_iter().map(|claim| {
        [
            response_key(claim.id).into(),
            claim.from_epoch.into(),
            claim.node.clone().into(),
            claim.epoch.into(),
            i64::from(claim.fold_version).into(),
        ]
    });
    response_ids(&WantedRows::new(COLUMNS, rows).query(transaction, &sql).await?, "uuid")
}
