//! Deleting responses. Their items and segments are deleted with the rows.

use antiphon_entities::response;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};

use crate::{
    columns::{response_key, user_key},
    error::SqlError,
    wanted::{ColumnKind::Text, WantedRows},
};
use antiphon_protocol::{ResponseId, UserId};

/// Deletes responses, those of them that there are.
pub(crate) async fn delete(transaction: &DatabaseTransaction, ids: &[ResponseId]) -> Result<(), SqlError> {
    const SQL: &str = "DELETE FROM responses WHERE uuid IN (SELECT w.uuid FROM wanted w)";
    let rows = ids.iter().map(|id| [response_key(*id).into()]);
    WantedRows::new([("uuid", Text)], rows).execute(transaction, SQL).await.map(drop)
}

/// Deletes the responses of a user.
pub(crate) async fn delete_of_user(transaction: &DatabaseTransaction, user: UserId) -> Result<(), SqlError> {
    let of_user = response::Column::UserId.eq(user_key(user));
    response::Entity::delete_many().filter(of_user).exec(transaction).await?;
    Ok(())
}
