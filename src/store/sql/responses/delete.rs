//! Deleting responses. Their items and segments go with the row.

use antiphon_entities::response;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};

use crate::fault::{self, FaultPoint};
use crate::protocol::{ResponseId, UserId};
use crate::store::CommitOutcome;
use crate::store::sql::{
    columns::{response_key, user_key},
    error::SqlError,
    idempotency_keys,
};

/// Deletes a response. Its idempotency key stays, for a while.
pub(in crate::store::sql) async fn delete(
    transaction: &DatabaseTransaction,
    id: ResponseId,
) -> Result<CommitOutcome, SqlError> {
    idempotency_keys::keep_no_longer(transaction, id).await?;
    response::Entity::delete_by_id(response_key(id)).exec(transaction).await?;
    fault::reach(FaultPoint::RowDeleted);
    Ok(CommitOutcome::Committed)
}

/// Deletes the responses of a user.
pub(in crate::store::sql) async fn delete_of_user(
    transaction: &DatabaseTransaction,
    user: UserId,
) -> Result<(), SqlError> {
    let of_user = response::Column::UserId.eq(user_key(user));
    response::Entity::delete_many().filter(of_user).exec(transaction).await?;
    Ok(())
}
