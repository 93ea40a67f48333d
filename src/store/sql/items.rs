//! Reading items by pages.

use antiphon_entities::item;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::rows::{self, key};
use crate::protocol::ItemId;
use crate::store::{Error, ItemPage, ItemQuery, Order, StoredItem};

pub(super) async fn page(db: &DatabaseConnection, query: &ItemQuery) -> Result<ItemPage, Error> {
    let mut select = in_order(query);
    if let Some(id) = &query.after {
        let position = position_of(db, query, id).await?;
        select = match query.order {
            Order::Ascending => select.filter(item::Column::Position.gt(position)),
            Order::Descending => select.filter(item::Column::Position.lt(position)),
        };
    }
    let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut rows = select.limit(u64::from(query.limit) + 1).all(db).await?;
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let items = rows.into_iter().map(rows::item).collect::<Result<Vec<StoredItem>, Error>>()?;
    Ok(ItemPage { items, has_more })
}

async fn position_of(db: &DatabaseConnection, query: &ItemQuery, id: &ItemId) -> Result<i64, Error> {
    let first = in_order(query)
        .filter(item::Column::Id.eq(id.as_str()))
        .select_only()
        .column(item::Column::Position)
        .limit(1)
        .into_tuple::<i64>()
        .one(db)
        .await?;
    first.ok_or(Error::UnknownCursor)
}

fn in_order(query: &ItemQuery) -> Select<item::Entity> {
    let side = item::Entity::find()
        .filter(item::Column::Response.eq(key(query.response)))
        .filter(item::Column::Side.eq(query.side.as_str()));
    match query.order {
        Order::Ascending => side.order_by_asc(item::Column::Position),
        Order::Descending => side.order_by_desc(item::Column::Position),
    }
}
