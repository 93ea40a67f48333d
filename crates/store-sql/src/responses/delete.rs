//! Deleting responses. Their items and segments are deleted with the row.

use antiphon_entities::response;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};

use crate::{
    columns::{response_key, user_key},
    error::SqlError,
    idempotency_keys,
};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_protocol::{ResponseId, UserId};
use antiphon_store::CommitOutcome;

/// Deletes a response. Its idempotency key stays until it expires.
pub(crate) async fn delete(transaction: &DatabaseTransaction, id: ResponseId) -> Result<CommitOutcome, SqlError> {
    idempotency_keys::keep_no_longer(transaction, id).await?;
    response::Entity::delete_by_id(response_key(id)).exec(transaction).await?;
    reach(FaultPoint::RowDeleted);
    Ok(CommitOutcome::Committed)
}

/// Deletes the responses of a user.
pub(crate) async fn delete_of_user(transaction: &DatabaseTransaction, user: UserId) -> Result<(), SqlError> {
    let of_user = response::Column::UserId.eq(user_key(user));
    response::Entity::delete_many().filter(of_user).exec(transaction).await?;
    Ok(())
}
