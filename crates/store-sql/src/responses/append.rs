//! Appending to many logs with one statement.

use std::{collections::HashSet, fmt::Write};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use super::{log, rows};
use crate::{
    columns::{bigint, response_key},
    commit::Numbered,
    error::SqlError,
};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_store::{AppendRecord, CommitOutcome, Conflict};

/// The values of a row in the statement.
const COLUMNS: usize = 6;
/// The most rows in a statement; SQLite takes 32,766 values and PostgreSQL 65,535.
const MAX_ROWS: usize = 1024;

const HEAD: &str = "WITH wanted(response, epoch, after_fact, first_fact, fact_count, bytes) AS (VALUES ";

/// The rows whose owner and position are right. Where several writers run at once they lock the response: an owner
/// that is being replaced writes either before the claim or not at all.
const ALLOWED: &str = "), allowed AS (
    SELECT w.response, w.after_fact, w.first_fact, w.fact_count, w.bytes
    FROM wanted w JOIN responses r ON r.uuid = w.response AND r.epoch = w.epoch
    WHERE r.status IN ('queued', 'in_progress')";

const INSERT: &str = ")
INSERT INTO segments (response, first_fact, fact_count, bytes)
SELECT a.response, a.first_fact, a.fact_count, a.bytes FROM allowed a
WHERE EXISTS (
    SELECT 1 FROM segments p
    WHERE p.response = a.response AND p.first_fact = a.after_fact AND p.first_fact + p.fact_count = a.first_fact
)
ON CONFLICT DO NOTHING
RETURNING response";

/// Appends to logs of different responses.
pub(crate) async fn append(
    transaction: &DatabaseTransaction,
    appends: &[Numbered<&AppendRecord>],
) -> Result<Vec<Numbered<CommitOutcome>>, SqlError> {
    let mut outcomes = Vec::with_capacity(appends.len());
    for chunk in appends.chunks(MAX_ROWS) {
        let written = insert(transaction, chunk).await?;
        reach(FaultPoint::SegmentInserted);
        for (position, append) in chunk {
            let outcome = if written.contains(&response_key(append.segment.response)) {
                CommitOutcome::Committed
            } else {
                explain(transaction, append).await?
            };
            if append.begins && outcome == CommitOutcome::Committed {
                begin(transaction, append).await?;
            }
            outcomes.push((*position, outcome));
        }
    }
    Ok(outcomes)
}

/// Writes the segments that can be written and returns the responses that they belong to.
async fn insert(
    transaction: &DatabaseTransaction,
    appends: &[Numbered<&AppendRecord>],
) -> Result<HashSet<String>, SqlError> {
    // Powers of two, so that a connection prepares few different statements; rows of nulls are allowed nowhere.
    let rows = appends.len().next_power_of_two();
    let mut values = Vec::with_capacity(rows * COLUMNS);
    for (_, append) in appends {
        values.extend(row(append));
    }
    for _ in appends.len()..rows {
        values.extend(empty_row());
    }
    let backend = transaction.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql(backend, rows), values);
    let written = transaction.query_all_raw(statement).await?;
    Ok(written.iter().map(|row| row.try_get("", "response")).collect::<Result<_, _>>()?)
}

fn row(append: &AppendRecord) -> [Value; COLUMNS] {
    let segment = &append.segment;
    [
        response_key(segment.response).into(),
        append.epoch.into(),
        bigint(append.after).into(),
        bigint(segment.first).into(),
        i64::from(segment.count).into(),
        segment.bytes.to_vec().into(),
    ]
}

fn empty_row() -> [Value; COLUMNS] {
    let number = || Value::BigInt(None);
    [Value::String(None), number(), number(), number(), number(), Value::Bytes(None)]
}

fn sql(backend: DbBackend, rows: usize) -> String {
    let mut sql = String::from(HEAD);
    for row in 0..rows {
        let first = row * COLUMNS + 1;
        let comma = if row == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(
            sql,
            "{comma}(${first}, ${}, ${}, ${}, ${}, ${})",
            first + 1,
            first + 2,
            first + 3,
            first + 4,
            first + 5
        );
    }
    sql.push_str(ALLOWED);
    if backend == DbBackend::Postgres {
        sql.push_str(" FOR SHARE OF r");
    }
    sql.push_str(INSERT);
    sql
}

/// Marks a response that waited as begun. Once it has begun, or ended, this changes nothing.
async fn begin(transaction: &DatabaseTransaction, append: &AppendRecord) -> Result<(), SqlError> {
    let sql = "UPDATE responses SET status = 'in_progress' WHERE uuid = $1 AND epoch = $2 AND status = 'queued'";
    let values = [response_key(append.segment.response).into(), append.epoch.into()];
    let statement = Statement::from_sql_and_values(transaction.get_database_backend(), sql, values);
    transaction.execute_raw(statement).await?;
    reach(FaultPoint::BeginningMarked);
    Ok(())
}

async fn explain(transaction: &DatabaseTransaction, append: &AppendRecord) -> Result<CommitOutcome, SqlError> {
    let segment = &append.segment;
    if log::has(transaction, segment).await? {
        return Ok(CommitOutcome::Committed);
    }
    let row = rows::find(transaction, segment.response).await?;
    Ok(CommitOutcome::Conflict(Conflict::of(row.as_ref(), append.epoch)))
}
