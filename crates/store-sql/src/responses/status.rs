//! The changes of responses' statuses: they begin and they end.

use sea_orm::{DatabaseTransaction, Value};

use crate::{
    columns::response_key,
    error::SqlError,
    wanted::{
        ColumnKind::{Bytes, Number, Text},
        Columns, WantedRows,
    },
};
use antiphon_protocol::Status;
use antiphon_store::{AppendRecord, EndingRecord};

const COLUMNS: Columns<7> = [
    ("uuid", Text),
    ("epoch", Number),
    ("status", Text),
    ("cause", Text),
    ("finish_reason", Text),
    ("ended_at", Number),
    ("content", Bytes),
];

/// Sets statuses by compare-and-set: only a response that has not ended and has this owner changes. What is empty, or
/// zero, becomes null.
const UPDATE: &str = "
UPDATE responses AS r
SET status = w.status, cause = NULLIF(w.cause, ''), finish_reason = NULLIF(w.finish_reason, ''),
    ended_at = NULLIF(w.ended_at, 0), content_enc = CASE WHEN length(w.content) > 0 THEN w.content END
FROM wanted w
WHERE r.uuid = w.uuid AND r.epoch = w.epoch AND r.status IN ('queued', 'in_progress')";

/// A new status of a response.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StatusChange<'a> {
    /// It begins: its owner appends the first facts after it waited.
    Begins(&'a AppendRecord),
    /// It ends.
    Ends(&'a EndingRecord),
}

/// Sets the statuses of different responses, and returns how many have changed.
pub(crate) async fn set_statuses<'a>(
    transaction: &DatabaseTransaction,
    changes: impl IntoIterator<Item = StatusChange<'a>>,
) -> Result<u64, SqlError> {
    WantedRows::new(COLUMNS, changes.into_iter().map(values)).execute(transaction, UPDATE).await
}

fn values(change: StatusChange<'_>) -> [Value; 7] {
    match change {
        StatusChange::Begins(append) => [
            response_key(append.segment.response).into(),
            append.epoch.into(),
            Status::InProgress.as_str().into(),
            "".into(),
            "".into(),
            0_i64.into(),
            Vec::<u8>::new().into(),
        ],
        StatusChange::Ends(ending) => [
            response_key(ending.id).into(),
            ending.epoch.into(),
            ending.status.as_str().into(),
            ending.cause.map(|cause| cause.as_str().to_owned()).unwrap_or_default().into(),
            ending.finish_reason.clone().unwrap_or_default().into(),
            ending.ended_at.as_micros().into(),
            ending.content.as_ref().map(|content| content.to_vec()).unwrap_or_default().into(),
        ],
    }
}
