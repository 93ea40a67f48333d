//! Giving a response another owner.

use antiphon_entities::response;
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};

use crate::store::sql::{read, rows::key};
use crate::store::{Claim, Conflict, Error, Outcome};

pub(super) async fn claim(transaction: &DatabaseTransaction, claim: &Claim) -> Result<Outcome, Error> {
    let owned = response::ActiveModel { node: Set(claim.node.clone()), epoch: Set(claim.epoch), ..Default::default() };
    let updated = response::Entity::update_many()
        .set(owned)
        .filter(response::Column::Uuid.eq(key(claim.id)))
        .filter(response::Column::Epoch.eq(claim.from_epoch))
        .filter(read::not_ended())
        .exec(transaction)
        .await?;
    if updated.rows_affected == 1 {
        return Ok(Outcome::Committed);
    }
    let row = read::response(transaction, claim.id).await?;
    let claimed = row.as_ref().is_some_and(|row| !row.status.is_terminal() && row.claimed_by(claim));
    if claimed {
        return Ok(Outcome::Committed);
    }
    Ok(Outcome::Conflict(match Conflict::of(row.as_ref(), claim.from_epoch) {
        // Nothing but the owner could have stood in the way: it has changed since.
        Conflict::Place | Conflict::Owner => Conflict::Owner,
        conflict @ (Conflict::Missing | Conflict::Ended) => conflict,
    }))
}
