//! Usage records: inserted with an ending, never changed.

use sea_orm::{DatabaseTransaction, Value};

use super::{
    columns::{bigint, response_key, user_key},
    error::SqlError,
    wanted::{
        ColumnKind::{Number, Text},
        Columns, WantedRows,
    },
};
use antiphon_domain::Timestamp;
use antiphon_protocol::ResponseId;
use antiphon_store::UsageRecord;

const COLUMNS: Columns<13> = [
    ("response", Text),
    ("turn", Number),
    ("user_id", Text),
    ("provider", Text),
    ("model", Text),
    ("input_tokens", Number),
    ("cached_tokens", Number),
    ("cache_write_tokens", Number),
    ("output_tokens", Number),
    ("reasoning_tokens", Number),
    ("total_tokens", Number),
    ("estimated", Number),
    ("ended_at", Number),
];

const INSERT: &str = "
INSERT INTO usage_records (
    response, turn, user_id, provider, model, input_tokens, cached_tokens, cache_write_tokens, output_tokens,
    reasoning_tokens, total_tokens, estimated, ended_at
)
SELECT
    w.response, w.turn, w.user_id, w.provider, w.model, w.input_tokens, w.cached_tokens, w.cache_write_tokens,
    w.output_tokens, w.reasoning_tokens, w.total_tokens, w.estimated = 1, w.ended_at
FROM wanted w WHERE TRUE
ON CONFLICT DO NOTHING";

/// Adds records; a turn that has one keeps it.
pub(super) async fn insert<'a>(
    transaction: &DatabaseTransaction,
    records: impl IntoIterator<Item = &'a UsageRecord>,
) -> Result<(), SqlError> {
    WantedRows::new(COLUMNS, records.into_iter().map(values)).execute(transaction, INSERT).await.map(drop)
}

/// Adds an estimate for each of the responses that has begun and not ended: its prompt alone, and no provider.
pub(super) async fn estimate_running(
    transaction: &DatabaseTransaction,
    responses: &[ResponseId],
    at: Timestamp,
) -> Result<(), SqlError> {
    const SQL: &str = "
INSERT INTO usage_records (
    response, turn, user_id, provider, model, input_tokens, cached_tokens, cache_write_tokens, output_tokens,
    reasoning_tokens, total_tokens, estimated, ended_at
)
SELECT r.uuid, 1, r.user_id, '', r.model, r.prompt_tokens, 0, 0, 0, 0, r.prompt_tokens, TRUE, w.ended_at
FROM wanted w JOIN responses r ON r.uuid = w.response WHERE r.status = 'in_progress' AND r.prompt_tokens >= 0
ON CONFLICT DO NOTHING";
    let rows = responses.iter().map(|id| [response_key(*id).into(), at.as_micros().into()]);
    let wanted = WantedRows::new([("response", Text), ("ended_at", Number)], rows);
    wanted.execute(transaction, SQL).await.map(drop)
}

fn values(record: &UsageRecord) -> [Value; 13] {
    let usage = &record.usage;
    [
        response_key(record.response).into(),
        i64::from(record.turn).into(),
        user_key(record.user).into(),
        record.provider.clone().into(),
        record.model.clone().into(),
        bigint(usage.input_tokens).into(),
        bigint(usage.input_tokens_details.cached_tokens).into(),
        bigint(usage.input_tokens_details.cache_write_tokens).into(),
        bigint(usage.output_tokens).into(),
        bigint(usage.output_tokens_details.reasoning_tokens).into(),
        bigint(usage.total_tokens).into(),
        i64::from(record.estimated).into(),
        record.at.as_micros().into(),
    ]
}
