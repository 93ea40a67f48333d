//! Items as the store has them: decrypted, parsed, and whole.

use crate::domain::Fact;
use crate::journal::Log;
use crate::protocol::Item;
use crate::refusal::Refusal;
use crate::store::{ItemPage, ItemQuery, SortOrder, StoredItem};
use crate::vault::{self, CiphertextContext, ResponseKey};

/// Decrypts and parses a page of a response's items. Nothing may be missing in it: each item is sealed for its position
/// and with whether it is the last one of its list, so that rows that were removed behind the server's back are noticed.
///
/// # Errors
/// [`Refusal::Damaged`] if the items are not as they were written.
pub(crate) fn open_page(key: &ResponseKey, query: &ItemQuery, page: &ItemPage) -> Result<Vec<Item>, Refusal> {
    let positions: Vec<u32> = page.items.iter().map(|item| item.position).collect();
    if !is_whole(query, page, &positions) {
        return Err(Refusal::damaged(query.response));
    }
    let last = last_place(query, page);
    page.items.iter().zip(0..).map(|(item, place)| open_item(key, item, Some(place) == last)).collect()
}

/// Checks that a response of which no input is stored was accepted without any, as its log says.
///
/// # Errors
/// [`Refusal::Damaged`] if it had some, or if its log does not say how it was accepted.
#[expect(clippy::wildcard_enum_match_arm, reason = "one of many facts")]
pub(crate) async fn check_without_input(log: &Log) -> Result<(), Refusal> {
    let page = log.page(0).await.map_err(|error| Refusal::of_log(log.id(), error))?;
    let accepted = page.into_iter().find_map(|fact| match fact {
        // Logs of versions before 0.2.0 do not say how many there were.
        Fact::Accepted { request, .. } => Some(request.input_items.unwrap_or_default()),
        _ => None,
    });
    if accepted == Some(0) { Ok(()) } else { Err(Refusal::damaged(log.id())) }
}

/// Whether the positions follow one another, from where the page has to begin to where it has to end.
fn is_whole(query: &ItemQuery, page: &ItemPage, positions: &[u32]) -> bool {
    let follows = |before: u32, next: u32| match query.order {
        SortOrder::Ascending => before.checked_add(1) == Some(next),
        SortOrder::Descending => next.checked_add(1) == Some(before),
    };
    let in_order = positions.windows(2).all(|pair| follows(pair[0], pair[1]));
    let begins = match (positions.first(), page.after, query.order) {
        (Some(first), Some(after), _) => follows(after, *first),
        (Some(first), None, SortOrder::Ascending) => *first == 0,
        (Some(_), None, SortOrder::Descending) | (None, None | Some(_), SortOrder::Ascending) => true,
        (None, after, SortOrder::Descending) => after.is_none_or(|after| after == 0),
    };
    let ends = query.order == SortOrder::Ascending || page.has_more || positions.last().is_none_or(|last| *last == 0);
    in_order && begins && ends
}

/// Where in the page the last item of the list stands.
fn last_place(query: &ItemQuery, page: &ItemPage) -> Option<usize> {
    match query.order {
        SortOrder::Ascending if page.has_more => None,
        SortOrder::Ascending => page.items.len().checked_sub(1),
        SortOrder::Descending => page.after.is_none().then_some(0),
    }
}

fn open_item(key: &ResponseKey, item: &StoredItem, is_last: bool) -> Result<Item, Refusal> {
    let StoredItem { side, position, .. } = *item;
    let places =
        [CiphertextContext::Item { side, position, is_last }, CiphertextContext::UnmarkedItem { side, position }];
    let opened = match key.open(places[0], &item.content) {
        Err(vault::Error::Tampered) => key.open(places[1], &item.content),
        opened => opened,
    };
    let json = match opened {
        Err(vault::Error::Tampered) => return Err(Refusal::damaged(item.response)),
        opened => opened?,
    };
    serde_json::from_slice(&json).map_err(|_| Refusal::damaged(item.response))
}

#[cfg(test)]
mod tests;
