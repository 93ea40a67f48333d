//! Writing the rows of new responses.

use std::collections::HashSet;

use sea_orm::{DatabaseTransaction, Value};

use crate::{
    columns::{response_ids, response_key, user_key},
    error::SqlError,
    wanted::{
        ColumnKind::{Number, Text},
        Columns, WantedRows,
    },
};
use antiphon_protocol::ResponseId;
use antiphon_store::{AdmissionRecord, ResponseRow};

const COLUMNS: Columns<12> = [
    ("uuid", Text),
    ("user_id", Text),
    ("node", Text),
    ("epoch", Number),
    ("status", Text),
    ("model", Text),
    ("stored", Number),
    ("background", Number),
    ("previous", Text),
    ("fold_version", Number),
    ("prompt_tokens", Number),
    ("created_at", Number),
];

/// An empty `previous` is none. What only an ending sets is null.
const INSERT: &str = "
INSERT INTO responses (
    uuid, user_id, node, epoch, status, model, stored, background, previous, fold_version, prompt_tokens, created_at
)
SELECT
    w.uuid, w.user_id, w.node, w.epoch, w.status, w.model, w.stored = 1, w.background = 1, NULLIF(w.previous, ''),
    w.fold_version, w.prompt_tokens, w.created_at
FROM wanted w
WHERE TRUE
ORDER BY w.uuid
ON CONFLICT DO NOTHING
RETURNING uuid";

/// Inserts the rows of new responses, and returns those that were not there before.
pub(crate) async fn insert_rows<'a>(
    transaction: &DatabaseTransaction,
    admissions: impl IntoIterator<Item = &'a AdmissionRecord>,
) -> Result<HashSet<ResponseId>, SqlError> {
    let rows = admissions.into_iter().map(|admission| values(&admission.row));
    let inserted = WantedRows::new(COLUMNS, rows).query(transaction, INSERT).await?;
    response_ids(&inserted, "uuid")
}

fn values(row: &ResponseRow) -> [Value; 12] {
    [
        response_key(row.id).into(),
        user_key(row.user).into(),
        row.node.clone().into(),
        row.epoch.into(),
        row.status.as_str().into(),
        row.model.clone().into(),
        i64::from(row.stored).into(),
        i64::from(row.background).into(),
        row.previous.map(response_key).unwrap_or_default().into(),
        i64::from(row.fold_version).into(),
        row.prompt_tokens.into(),
        row.created_at.as_micros().into(),
    ]
}
