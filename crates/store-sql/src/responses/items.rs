//! The items of responses.

use std::collections::HashMap;

use antiphon_entities::item;
use bytes::Bytes;
use sea_orm::{
    ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::{
    columns::{response_id, response_key},
    error::SqlError,
    wanted::{
        ColumnKind::{Bytes as Blob, Number, Text},
        Columns, WantedRows,
    },
};
use antiphon_protocol::{ItemId, ResponseId};
use antiphon_store::{Error, ItemPage, ItemQuery, ItemSide, SortOrder, StoredItem};

/// A page of one side's items.
pub(super) async fn page(db: &DatabaseConnection, query: &ItemQuery) -> Result<ItemPage, SqlError> {
    let (mut select, mut after) = (in_order(query), None);
    if let Some(id) = &query.after {
        let position = position_of(db, query, id).await?;
        after = Some(stored_position(position)?);
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
    Ok(ItemPage { items, has_more, after })
}

fn stored_position(position: i64) -> Result<u32, Error> {
    u32::try_from(position).map_err(|_| Error::Corrupt { what: "items.position" })
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
        position: stored_position(row.position)?,
        id: ItemId::from(row.id),
        content: Bytes::from(row.content),
    })
}

const COLUMNS: Columns<5> = [("response", Text), ("side", Text), ("position", Number), ("id", Text), ("content", Blob)];

/// Inserts items of many responses, and returns how many of each were not there before.
pub(crate) async fn insert<'a>(
    transaction: &DatabaseTransaction,
    items: impl IntoIterator<Item = &'a StoredItem>,
) -> Result<HashMap<ResponseId, usize>, SqlError> {
    const INSERT: &str = "
INSERT INTO items (response, side, position, id, content)
SELECT w.response, w.side, w.position, w.id, w.content FROM wanted w WHERE TRUE
ON CONFLICT DO NOTHING
RETURNING response";
    let rows = items.into_iter().map(|item| {
        [
            response_key(item.response).into(),
            item.side.as_str().into(),
            i64::from(item.position).into(),
            item.id.as_str().into(),
            item.content.to_vec().into(),
        ]
    });
    let mut inserted = HashMap::new();
    for row in WantedRows::new(COLUMNS, rows).query(transaction, INSERT).await? {
        let response = response_id(&row.try_get::<String>("", "response")?, "items.response")?;
        *inserted.entry(response).or_default() += 1;
    }
    Ok(inserted)
}
