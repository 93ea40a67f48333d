//! The history of a conversation: the items of a response and its ancestors.

use std::sync::Arc;

use super::{Node, check_without_input, open_page};
use crate::journal::Log;
use crate::protocol::{Item, ResponseId, Status, UserId};
use crate::refusal::Refusal;
use crate::store::{ItemQuery, ItemSide, ResponseRow, SortOrder};
use crate::vault::UserKey;

/// The items of a conversation so far, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    /// The newest ones, as many as the node loads.
    pub(crate) items: Vec<Item>,
    /// Whether these are all items of the conversation.
    pub(crate) complete: bool,
    /// Where in the items the output of the last response begins, if that completed; else behind all of them.
    pub(crate) completed_from: usize,
}

/// The items of a stored response of that user and its ancestors: the newest ones, as many as the node's limits let a
/// request load. All of them are of one moment: what has ended does not change, and what is deleted meanwhile is not found.
pub(crate) async fn history(node: &Node, user: UserId, last: ResponseId) -> Result<History, Refusal> {
    let most = node.limits.history_items;
    // Every response has input, so a chain of `most` responses has at least `most` items.
    let rows = node.store.responses.chain(last, u32::try_from(most).unwrap_or(u32::MAX)).await?;
    check(&rows, user, most)?;
    let key = node.vault.user_key(user).await?;
    let mut newest = NewestItems { most, items: Vec::new() };
    let mut complete = rows.last().is_some_and(|oldest| oldest.previous.is_none());
    let mut completed = 0;
    for row in &rows {
        for side in [ItemSide::Output, ItemSide::Input] {
            // The output of a failed response is not part of the conversation; its input is.
            if side == ItemSide::Output && row.status == Status::Failed {
                continue;
            }
            let before = newest.items.len();
            let has_more = newest.read(node, &key, row, side).await?;
            complete &= !has_more;
            if side == ItemSide::Output && !has_more && newest.items.len() == before {
                complete &= !newest.read_log(node, &key, row).await?;
            }
            if side == ItemSide::Output && row.id == last && row.status == Status::Completed {
                completed = newest.items.len();
            }
        }
    }
    newest.items.reverse();
    let completed_from = newest.items.len() - completed;
    Ok(History { items: newest.items, complete, completed_from })
}

fn check(rows: &[ResponseRow], user: UserId, most: usize) -> Result<(), Refusal> {
    let Some(last) = rows.first() else { return Err(Refusal::NotFound) };
    if rows.iter().any(|row| row.user != user || !row.stored) {
        return Err(Refusal::NotFound);
    }
    let cut_short = rows.len() < most && rows.last().is_some_and(|oldest| oldest.previous.is_some());
    if cut_short {
        return Err(Refusal::NotFound);
    }
    if last.status.is_terminal() { Ok(()) } else { Err(Refusal::StillRunning(last.id)) }
}

/// Items, newest first.
struct NewestItems {
    most: usize,
    items: Vec<Item>,
}

impl NewestItems {
    /// Appends the newest items of one side of a response. True if some had no room.
    async fn read(&mut self, node: &Node, key: &UserKey, row: &ResponseRow, side: ItemSide) -> Result<bool, Refusal> {
        let room = self.most - self.items.len();
        let limit = u32::try_from(room.max(1)).unwrap_or(u32::MAX);
        let query = ItemQuery { response: row.id, side, order: SortOrder::Descending, after: None, limit };
        let page = node.store.responses.items(query.clone()).await?;
        // The input is read last. A response that is deleted loses all of its items at once, so one that still has
        // input had its output, too. One that has none was accepted without, or is gone.
        let may_be_gone = side == ItemSide::Input && page.items.is_empty();
        if may_be_gone && node.store.responses.response(row.id).await?.is_none() {
            return Err(Refusal::NotFound);
        }
        let key = key.response_key(row.id);
        if side == ItemSide::Input && page.items.is_empty() {
            let log = Log::new(Arc::clone(&node.store.responses), key.clone(), row.id);
            check_without_input(&log.of_row(row).for_user(&node.logs)).await?;
        }
        let items = open_page(&key, &query, &page)?;
        let has_more = page.has_more || items.len() > room;
        self.items.extend(items.into_iter().take(room));
        Ok(has_more)
    }
}

impl NewestItems {
    /// Appends the newest items of the output as the log has it: an ending may lack them where the database refused to
    /// store them. True if some had no room.
    async fn read_log(&mut self, node: &Node, key: &UserKey, row: &ResponseRow) -> Result<bool, Refusal> {
        let log = Log::new(Arc::clone(&node.store.responses), key.response_key(row.id), row.id);
        let log = log.of_row(row).for_user(&node.logs);
        let (transcript, _) = log.fold().await.map_err(|error| Refusal::of_log(row.id, error))?;
        let room = self.most - self.items.len();
        self.items.extend(transcript.items().iter().rev().take(room).cloned());
        Ok(transcript.items().len() > room)
    }
}
