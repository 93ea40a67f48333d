//! Usage records: inserted with an ending, never changed.

use antiphon_entities::usage_record;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait, sea_query::OnConflict};

use super::{
    columns::{bigint, inserted, response_key, user_key},
    error::SqlError,
};
use antiphon_store::UsageRecord;

/// Adds records; a turn that has one keeps it.
pub(super) async fn insert(savepoint: &DatabaseTransaction, records: &[UsageRecord]) -> Result<(), SqlError> {
    let nothing = OnConflict::new().do_nothing().to_owned();
    let insert = usage_record::Entity::insert_many(records.iter().map(row)).on_conflict(nothing);
    inserted(insert.exec_without_returning(savepoint).await)?;
    Ok(())
}

fn row(record: &UsageRecord) -> usage_record::ActiveModel {
    let usage = &record.usage;
    usage_record::ActiveModel {
        response: Set(response_key(record.response)),
        turn: Set(i32::from(record.turn)),
        user_id: Set(user_key(record.user)),
        provider: Set(record.provider.clone()),
        model: Set(record.model.clone()),
        input_tokens: Set(bigint(usage.input_tokens)),
        cached_tokens: Set(bigint(usage.input_tokens_details.cached_tokens)),
        cache_write_tokens: Set(bigint(usage.input_tokens_details.cache_write_tokens)),
        output_tokens: Set(bigint(usage.output_tokens)),
        reasoning_tokens: Set(bigint(usage.output_tokens_details.reasoning_tokens)),
        total_tokens: Set(bigint(usage.total_tokens)),
        estimated: Set(record.estimated),
        ended_at: Set(record.at.as_micros()),
    }
}
