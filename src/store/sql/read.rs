//! Reading responses and their logs.

use antiphon_entities::{response, segment};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, sea_query::Expr,
};

use super::rows::{self, PlainColumns, bigint, key};
use crate::protocol::{ResponseId, Status};
use crate::store::{Error, ResponseRow, Segment};

pub(super) async fn response(db: &impl ConnectionTrait, id: ResponseId) -> Result<Option<ResponseRow>, Error> {
    let row = response::Entity::find_by_id(key(id)).into_partial_model::<PlainColumns>().one(db).await?;
    row.map(ResponseRow::try_from).transpose()
}

pub(super) async fn segments(
    db: &DatabaseConnection,
    id: ResponseId,
    from: u64,
    limit: u32,
) -> Result<Vec<Segment>, Error> {
    // The primary key leads to the last segment that begins at or before the fact; it may end before it.
    let holder = segment::Entity::find()
        .select_only()
        .column_as(Expr::col(segment::Column::FirstFact).max(), "first_fact")
        .filter(segment::Column::Response.eq(key(id)))
        .filter(segment::Column::FirstFact.lte(bigint(from)))
        .into_query();
    let end = Expr::col(segment::Column::FirstFact).add(Expr::col(segment::Column::FactCount));
    let rows = segment::Entity::find()
        .filter(segment::Column::Response.eq(key(id)))
        .filter(Expr::col(segment::Column::FirstFact).gte(Expr::SubQuery(None, Box::new(holder.into()))))
        .filter(end.gt(bigint(from)))
        .order_by_asc(segment::Column::FirstFact)
        .limit(u64::from(limit))
        .all(db)
        .await?;
    rows.into_iter().map(rows::segment).collect()
}

/// The segment that begins with that fact.
pub(super) async fn segment_at(
    db: &impl ConnectionTrait,
    id: ResponseId,
    first: u64,
) -> Result<Option<Segment>, Error> {
    let row = segment::Entity::find_by_id((key(id), bigint(first))).one(db).await?;
    row.map(rows::segment).transpose()
}

pub(super) async fn ping(db: &DatabaseConnection) -> Result<(), Error> {
    Ok(db.ping().await?)
}

/// The condition that a response has not ended.
pub(super) fn not_ended() -> sea_orm::sea_query::SimpleExpr {
    let live = Status::ALL.into_iter().filter(|status| !status.is_terminal()).map(Status::as_str);
    response::Column::Status.is_in(live)
}
