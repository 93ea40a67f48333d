//! The items of responses.

use antiphon_entities::item;
use bytes::Bytes;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, sea_query::OnConflict,
};

use crate::{
    columns::{inserted, response_id, response_key},
    error::SqlError,
};
use antiphon_protocol::ItemId;
use antiphon_store::{Error, ItemPage, ItemQuery, ItemSide, SortOrder, StoredItem};

/// A page of one side's items.
pub(super) async fn page(db: &DatabaseConnection, query: &ItemQuery) -> Result<ItemPage, SqlError> {
    let mut select = in_order(query);
    if let Some(id) = &query.after {
        let position = position_of(db, query, id).await?;
        select = match query.order {
            SortOrder::Ascending => select.filter(item::Column::Position.gt(position)),
            SortOrder::Descending => select.filter(item::Column::Position.lt(position)),
        };
    }
    let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut rows = select.limit(u64::from(query.limit) + 1).all(db).await?;
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let items = rows.into_iter().map(stored_item).collect::<Result<_, Error>>()?;
    Ok(ItemPage { items, has_more })
}

async fn position_of(db: &DatabaseConnection, query: &ItemQuery, id: &ItemId) -> Result<i64, SqlError> {
    let first = in_order(query)
        .filter(item::Column::Id.eq(id.as_str()))
        .select_only()
        .column(item::Column::Position)
        .limit(1)
        .into_tuple::<i64>()
        .one(db)
        .await?;
    Ok(first.ok_or(Error::UnknownCursor)?)
}

fn in_order(query: &ItemQuery) -> Select<item::Entity> {
    let side = item::Entity::find()
        .filter(item::Column::Response.eq(response_key(query.response)))
        .filter(item::Column::Side.eq(query.side.as_str()));
    match query.order {
        SortOrder::Ascending => side.order_by_asc(item::Column::Position),
        SortOrder::Descending => side.order_by_desc(item::Column::Position),
    }
}

fn stored_item(row: item::Model) -> Result<StoredItem, Error> {
    let side = [ItemSide::Input, ItemSide::Output].into_iter().find(|side| side.as_str() == row.side);
    Ok(StoredItem {
        response: response_id(&row.response, "items.response")?,
        side: side.ok_or(Error::Corrupt { what: "items.side" })?,
        position: u32::try_from(row.position).map_err(|_| Error::Corrupt { what: "items.position" })?,
        id: ItemId::from(row.id),
        content: Bytes::from(row.content),
    })
}

fn new_item(item: &StoredItem) -> item::ActiveModel {
    item::ActiveModel {
        response: Set(response_key(item.response)),
        side: Set(item.side.as_str().to_owned()),
        position: Set(i64::from(item.position)),
        id: Set(item.id.as_str().to_owned()),
        content: Set(item.content.to_vec()),
    }
}

/// Inserts items; returns whether none was there before. It does so in chunks, because databases limit the number of
/// values of one statement.
pub(super) async fn insert(savepoint: &DatabaseTransaction, items: &[StoredItem]) -> Result<bool, SqlError> {
    const CHUNK: usize = 1_000;
    for chunk in items.chunks(CHUNK) {
        let nothing = OnConflict::new().do_nothing().to_owned();
        let insert = item::Entity::insert_many(chunk.iter().map(new_item)).on_conflict(nothing);
        if inserted(insert.exec_without_returning(savepoint).await)? != chunk.len() {
            return Ok(false);
        }
    }
    Ok(true)
}
