//! Pages of items.

use crate::protocol::{ItemId, ResponseId};
use crate::store::{CommitOutcome, Error, ItemQuery, ItemSide, SortOrder};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    items_come_in_pages_in_either_order,
    a_cursor_is_the_first_item_of_its_id_in_the_lists_order,
    a_cursor_that_names_no_item_of_the_side_is_an_error,
}

/// A response with five input items; the ids of the second and the fourth are the same.
async fn five_items(subject: StoreUnderTest<'_>) -> ResponseId {
    let mut admission = admission();
    let id = admission.row.id;
    admission.items = (0..5).map(|position| item(id, ItemSide::Input, position)).collect();
    admission.items[3].id = admission.items[1].id.clone();
    assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
    id
}

fn query(response: ResponseId, order: SortOrder, after: Option<u32>, limit: u32) -> ItemQuery {
    let after = after.map(|position| item(response, ItemSide::Input, position).id);
    ItemQuery { response, side: ItemSide::Input, order, after, limit }
}

async fn items_come_in_pages_in_either_order(subject: StoreUnderTest<'_>) {
    use SortOrder::{Ascending, Descending};
    let id = five_items(subject).await;
    type Line = (SortOrder, Option<u32>, u32, &'static [u32], bool);
    let table: [Line; 8] = [
        (Ascending, None, 10, &[0, 1, 2, 3, 4], false),
        (Ascending, None, 5, &[0, 1, 2, 3, 4], false),
        (Ascending, None, 2, &[0, 1], true),
        (Ascending, Some(2), 1, &[3], true),
        (Ascending, Some(4), 5, &[], false),
        (Descending, None, 2, &[4, 3], true),
        (Descending, Some(2), 2, &[1, 0], false),
        (Descending, Some(0), 2, &[], false),
    ];
    for (order, after, limit, expected, has_more) in table {
        let page = subject.store.responses.items(query(id, order, after, limit)).await.unwrap();
        let positions: Vec<u32> = page.items.iter().map(|item| item.position).collect();
        assert_eq!((positions.as_slice(), page.has_more), (expected, has_more), "{order:?} after {after:?}");
    }
}

async fn a_cursor_is_the_first_item_of_its_id_in_the_lists_order(subject: StoreUnderTest<'_>) {
    let id = five_items(subject).await;
    let up = subject.store.responses.items(query(id, SortOrder::Ascending, Some(1), 1)).await.unwrap();
    assert_eq!(up.items[0].position, 2);
    let down = subject.store.responses.items(query(id, SortOrder::Descending, Some(1), 1)).await.unwrap();
    assert_eq!(down.items[0].position, 2);
}

async fn a_cursor_that_names_no_item_of_the_side_is_an_error(subject: StoreUnderTest<'_>) {
    let id = five_items(subject).await;
    let mut unknown = query(id, SortOrder::Ascending, None, 5);
    unknown.after = Some(ItemId::from("msg_of_nobody".to_owned()));
    assert!(matches!(subject.store.responses.items(unknown).await, Err(Error::UnknownCursor)));
    let mut other_side = query(id, SortOrder::Ascending, Some(0), 5);
    other_side.side = ItemSide::Output;
    assert!(matches!(subject.store.responses.items(other_side).await, Err(Error::UnknownCursor)));
}
