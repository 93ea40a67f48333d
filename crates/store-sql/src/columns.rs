//! Conversions between columns and values. A value that this program never writes is an error.

use std::collections::HashSet;

use sea_orm::QueryResult;
use uuid::Uuid;

use super::error::SqlError;
use antiphon_protocol::{ResponseId, UserId};
use antiphon_store::Error;

/// A response's id as the tables have it.
pub(super) fn response_key(id: ResponseId) -> String {
    id.uuid().hyphenated().to_string()
}

/// A user's id as the tables have it.
pub(super) fn user_key(id: UserId) -> String {
    id.uuid().hyphenated().to_string()
}

/// The response's id in a column.
pub(super) fn response_id(text: &str, what: &'static str) -> Result<ResponseId, Error> {
    Ok(ResponseId::from_uuid(uuid(text, what)?))
}

/// The user's id in a column.
pub(super) fn user_id(text: &str, what: &'static str) -> Result<UserId, Error> {
    Ok(UserId::from_uuid(uuid(text, what)?))
}

fn uuid(text: &str, what: &'static str) -> Result<Uuid, Error> {
    Uuid::try_parse(text).ok().filter(|uuid| uuid.hyphenated().to_string() == text).ok_or(Error::Corrupt { what })
}

/// A count as the databases can hold it. A larger one can only be a provider's mistake; it must not make the whole
/// group fail, so it becomes the largest number of the column.
pub(super) fn bigint(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The ids of responses in a column.
pub(super) fn response_ids(rows: &[QueryResult], column: &'static str) -> Result<HashSet<ResponseId>, SqlError> {
    rows.iter().map(|row| Ok(response_id(&row.try_get::<String>("", column)?, column)?)).collect()
}
