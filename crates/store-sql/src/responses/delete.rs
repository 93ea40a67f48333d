//! Deleting responses. Their items and segments are deleted with the rows.

use sea_orm::DatabaseTransaction;

use crate::{
    columns::response_key,
    error::SqlError,
    wanted::{ColumnKind::Text, WantedRows},
};
use antiphon_protocol::ResponseId;

/// Deletes responses, those of them that there are.
pub(crate) async fn delete(transaction: &DatabaseTransaction, ids: &[ResponseId]) -> Result<(), SqlError> {
    const SQL: &str = "DELETE FROM responses WHERE uuid IN (SELECT w.uuid FROM wanted w)";
    let rows = ids.iter().map(|id| [response_key(*id).into()]);
    WantedRows::new([("uuid", Text)], rows).execute(transaction, SQL).await.map(drop)
}
