//! The logs of responses: segments in order.

use antiphon_entities::segment;
use bytes::Bytes;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, sea_query::Expr,
};

use crate::{
    columns::{bigint, response_id, response_key},
    error::SqlError,
};
use antiphon_protocol::ResponseId;
use antiphon_store::{Error, Segment};

fn segment(row: segment::Model) -> Result<Segment, Error> {
    Ok(Segment {
        response: response_id(&row.response, "segments.response")?,
        first: u64::try_from(row.first_fact).map_err(|_| Error::Corrupt { what: "segments.first_fact" })?,
        count: u32::try_from(row.fact_count).map_err(|_| Error::Corrupt { what: "segments.fact_count" })?,
        bytes: Bytes::from(row.bytes),
    })
}

/// The row of a new segment.
pub(super) fn new_segment(segment: &Segment) -> segment::ActiveModel {
    segment::ActiveModel {
        response: Set(response_key(segment.response)),
        first_fact: Set(bigint(segment.first)),
        fact_count: Set(i64::from(segment.count)),
        bytes: Set(segment.bytes.to_vec()),
    }
}

/// At most `limit` segments from the one that holds fact number `from` on.
pub(super) async fn segments(
    db: &DatabaseConnection,
    id: ResponseId,
    from: u64,
    limit: u32,
) -> Result<Vec<Segment>, SqlError> {
    // The last segment that begins at or before the fact, by the primary key; it may end before the fact.
    let holder = segment::Entity::find()
        .select_only()
        .column_as(Expr::col(segment::Column::FirstFact).max(), "first_fact")
        .filter(segment::Column::Response.eq(response_key(id)))
        .filter(segment::Column::FirstFact.lte(bigint(from)))
        .into_query();
    let end = Expr::col(segment::Column::FirstFact).add(Expr::col(segment::Column::FactCount));
    let rows = segment::Entity::find()
        .filter(segment::Column::Response.eq(response_key(id)))
        .filter(Expr::col(segment::Column::FirstFact).gte(Expr::SubQuery(None, Box::new(holder.into()))))
        .filter(end.gt(bigint(from)))
        .order_by_asc(segment::Column::FirstFact)
        .limit(u64::from(limit))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(segment).collect::<Result<_, Error>>()?)
}

/// Whether the log has exactly that segment.
pub(super) async fn has(transaction: &DatabaseTransaction, wanted: &Segment) -> Result<bool, SqlError> {
    let key = (response_key(wanted.response), bigint(wanted.first));
    let row = segment::Entity::find_by_id(key).one(transaction).await?;
    Ok(row.map(segment).transpose()?.as_ref() == Some(wanted))
}
