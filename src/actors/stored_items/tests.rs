//! Pages of items.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use super::{check_without_input, open_page};
use crate::domain::Timestamp;
use crate::journal::Log;
use crate::protocol::{Item, ItemId, ResponseId, UserId};
use crate::refusal::Refusal;
use crate::store::{AccountStore as _, ItemPage, ItemQuery, ItemSide, MemoryStore, SortOrder, StoredItem, UserRecord};
use crate::vault::{CiphertextContext, KeyRing, ResponseKey, Vault};

const SIDE: ItemSide = ItemSide::Input;
const ITEMS: u32 = 5;

fn place(position: u32, is_marked: bool) -> CiphertextContext {
    match is_marked {
        true => CiphertextContext::Item { side: SIDE, position, is_last: position + 1 == ITEMS },
        false => CiphertextContext::UnmarkedItem { side: SIDE, position },
    }
}

/// A page of five items as a store reads them, but for those that are missing.
fn page(response: ResponseId, key: &ResponseKey, is_marked: bool, query: &ItemQuery, missing: &[u32]) -> ItemPage {
    let stored = |position: u32| {
        let json = format!(r#"{{"type":"message","id":"msg_{position}","role":"user","content":[]}}"#);
        let content = key.seal(place(position, is_marked), json.as_bytes()).unwrap();
        StoredItem { response, side: SIDE, position, id: ItemId::from(format!("msg_{position}")), content }
    };
    let after = query.after.as_ref().map(|id| id.as_str()[4..].parse().unwrap());
    let mut positions: Vec<u32> = (0..ITEMS).filter(|position| !missing.contains(position)).collect();
    if query.order == SortOrder::Descending {
        positions.reverse();
        positions.retain(|position| after.is_none_or(|after| *position < after));
    } else {
        positions.retain(|position| after.is_none_or(|after| *position > after));
    }
    let has_more = positions.len() > query.limit as usize;
    ItemPage { items: positions.into_iter().take(query.limit as usize).map(stored).collect(), has_more, after }
}

fn every_query(response: ResponseId) -> Vec<ItemQuery> {
    let mut queries = Vec::new();
    for order in [SortOrder::Ascending, SortOrder::Descending] {
        for limit in 1..=ITEMS + 1 {
            let after = (0..ITEMS).map(|position| Some(ItemId::from(format!("msg_{position}"))));
            for after in after.chain([None]) {
                queries.push(ItemQuery { response, side: SIDE, order, after, limit });
            }
        }
    }
    queries
}

async fn key_of(response: ResponseId) -> ResponseKey {
    let accounts = Arc::new(MemoryStore::default());
    let vault = Vault::new(KeyRing::generate().unwrap(), Arc::clone(&accounts) as _);
    let (id, created_at) = (UserId::new(), Timestamp::from_micros(0));
    let user = UserRecord { id, name: "ada".to_owned(), created_at, deleted_at: None };
    accounts.create_user(user, vault.new_user_key(id).unwrap()).await.unwrap();
    vault.user_key(id).await.unwrap().response_key(response)
}

#[tokio::test]
async fn every_page_is_opened_whole_or_not_at_all() {
    let response = ResponseId::new();
    let key = key_of(response).await;
    for query in every_query(response) {
        let whole = page(response, &key, true, &query, &[]);
        let opened = open_page(&key, &query, &whole).unwrap();
        let ids = |items: &[Item]| items.iter().map(|item| item.id().clone()).collect::<Vec<_>>();
        let stored: Vec<ItemId> = whole.items.iter().map(|item| item.id.clone()).collect();
        assert_eq!(ids(&opened), stored, "{query:?}");
        for missing in whole.items.iter().map(|item| item.position) {
            let cut = page(response, &key, true, &query, &[missing]);
            let is_noticed = open_page(&key, &query, &cut) == Err(Refusal::Damaged(response));
            // What is left of an empty page is looked at by who knows whether there was any.
            assert!(is_noticed || cut.items.is_empty(), "{missing} of {query:?}");
        }
        assert_eq!(open_page(&key, &query, &page(response, &key, false, &query, &[])).unwrap().len(), opened.len());
    }
}

#[tokio::test]
async fn a_response_of_which_neither_input_nor_log_is_stored_was_not_accepted_without_input() {
    let response = ResponseId::new();
    let log = Log::new(Arc::new(MemoryStore::new()), key_of(response).await, response);
    assert_eq!(check_without_input(&log).await, Err(Refusal::Damaged(response)));
}
