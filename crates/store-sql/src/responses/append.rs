//! Adding segments to many logs with one statement.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Value};

use crate::{
    columns::{bigint, response_ids, response_key},
    error::SqlError,
    wanted::{
        ColumnKind::{Bytes, Number, Text},
        Columns, WantedRows,
    },
};
use antiphon_protocol::ResponseId;
use antiphon_store::Segment;

const COLUMNS: Columns<6> = [
    ("response", Text),
    ("epoch", Number),
    ("after_fact", Number),
    ("first_fact", Number),
    ("fact_count", Number),
    ("bytes", Bytes),
];

/// The `after_fact` of a segment that a log begins with.
const LOG_BEGINS: i64 = -1;

/// The rows whose owner is right. Where several writers run at once they lock the responses, in the order of all locks:
/// an owner that is being replaced writes either before the claim or not at all.
const ALLOWED: &str = ", allowed AS (
    SELECT w.response, w.after_fact, w.first_fact, w.fact_count, w.bytes
    FROM wanted w JOIN responses r ON r.uuid = w.response AND r.epoch = w.epoch
    WHERE r.status IN ('queued', 'in_progress')
    ORDER BY r.uuid";

const INSERT: &str = ")
INSERT INTO segments (response, first_fact, fact_count, bytes)
SELECT a.response, a.first_fact, a.fact_count, a.bytes FROM allowed a
WHERE a.after_fact = -1 OR EXISTS (
    SELECT 1 FROM segments p
    WHERE p.response = a.response AND p.first_fact = a.after_fact AND p.first_fact + p.fact_count = a.first_fact
)
ON CONFLICT DO NOTHING
RETURNING response";

/// A segment to add to a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewSegment<'a> {
    /// The owner's epoch.
    pub(crate) epoch: i64,
    /// The number of the first fact of the segment before this one; none if the log begins with it.
    pub(crate) after: Option<u64>,
    pub(crate) segment: &'a Segment,
}

/// Adds segments to logs of different responses, and returns those whose owner and place were right and whose place was
/// empty.
pub(crate) async fn append<'a>(
    transaction: &DatabaseTransaction,
    segments: impl IntoIterator<Item = NewSegment<'a>>,
) -> Result<HashSet<ResponseId>, SqlError> {
    let lock = if transaction.get_database_backend() == DbBackend::Postgres { " FOR SHARE OF r" } else { "" };
    let wanted = WantedRows::new(COLUMNS, segments.into_iter().map(values));
    let written = wanted.query(transaction, &format!("{ALLOWED}{lock}{INSERT}")).await?;
    response_ids(&written, "response")
}

fn values(new: NewSegment<'_>) -> [Value; 6] {
    let segment = new.segment;
    [
        response_key(segment.response).into(),
        new.epoch.into(),
        new.after.map_or(LOG_BEGINS, bigint).into(),
        bigint(segment.first).into(),
        i64::from(segment.count).into(),
        segment.bytes.to_vec().into(),
    ]
}
