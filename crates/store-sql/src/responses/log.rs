//! The logs of responses: segments in order.

use std::collections::HashSet;

use antiphon_entities::segment;
use bytes::Bytes;
use sea_orm::{
    ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, ExprTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, sea_query::Expr,
};

use crate::{
    columns::{bigint, response_id, response_key},
    error::SqlError,
    wanted::{ColumnKind, WantedRows},
};
use antiphon_protocol::ResponseId;
use antiphon_store::{Error, Segment};

fn stored_segment(row: segment::Model) -> Result<Segment, Error> {
    Ok(Segment {
        response: response_id(&row.response, "segments.response")?,
        first: u64::try_from(row.first_fact).map_err(|_| Error::Corrupt { what: "segments.first_fact" })?,
        count: u32::try_from(row.fact_count).map_err(|_| Error::Corrupt { what: "segments.fact_count" })?,
        bytes: Bytes::from(row.bytes),
    })
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
    Ok(rows.into_iter().map(stored_segment).collect::<Result<_, Error>>()?)
}

/// Those of the segments that are in the logs exactly so, by their responses, which are different ones.
pub(crate) async fn present(
    transaction: &DatabaseTransaction,
    segments: &[&Segment],
) -> Result<HashSet<ResponseId>, SqlError> {
    const SQL: &str = "
SELECT s.response, s.first_fact, s.fact_count, s.bytes
FROM wanted w JOIN segments s ON s.response = w.response AND s.first_fact = w.first_fact";
    let places = segments.iter().map(|segment| [response_key(segment.response).into(), bigint(segment.first).into()]);
    let wanted = WantedRows::new([("response", ColumnKind::Text), ("first_fact", ColumnKind::Number)], places);
    let rows = wanted.query(transaction, SQL).await?;
    let found = rows.iter().map(|row| Ok(stored_segment(segment::Model::from_query_result(row, "")?)?));
    let found: Vec<Segment> = found.collect::<Result<_, SqlError>>()?;
    Ok(found.iter().filter(|segment| segments.contains(segment)).map(|segment| segment.response).collect())
}
