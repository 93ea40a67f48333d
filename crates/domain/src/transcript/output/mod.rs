//! The output under construction: opens and closes items and their parts, and makes the events about that.

mod calls;
mod others;
mod parts;

use std::collections::BTreeMap;

use self::{calls::FunctionCallState, others::OtherItemState, parts::OpenItem};
use crate::{Attempt, CallIndex};
use antiphon_protocol::{Item, ItemId, ItemStatus, JsonObject, ResponseEvent, ResponseId};

pub(super) use parts::PartKind;

/// The output so far, and where the next piece goes.
#[derive(Debug, Clone)]
pub(super) struct OutputBuilder {
    response: ResponseId,
    pub(super) next_sequence: u64,
    pub(super) items: Vec<Item>,
    /// How many items and parts of items were begun.
    pub(super) pieces: usize,
    /// The open message or reasoning item; always the last of its kind, at most one.
    open_item: Option<OpenItem>,
    /// Open function calls by the attempt's own count.
    calls: BTreeMap<Key, FunctionCallState>,
    /// Items of kinds that this server does not know, by the attempt's own count.
    others: BTreeMap<Key, OtherItemState>,
}

/// One of the things that an attempt counts itself.
pub(super) type Key = (Attempt, CallIndex);

impl OutputBuilder {
    pub(super) fn new(response: ResponseId) -> Self {
        Self {
            response,
            next_sequence: 0,
            items: Vec::new(),
            pieces: 0,
            open_item: None,
            calls: BTreeMap::new(),
            others: BTreeMap::new(),
        }
    }

    pub(super) fn response(&self) -> ResponseId {
        self.response
    }

    pub(super) fn number(&mut self) -> u64 {
        let number = self.next_sequence;
        self.next_sequence += 1;
        number
    }

    /// Closes all that is open. `cut` decides which of it is incomplete.
    pub(super) fn close(&mut self, cut: Cut, events: &mut Vec<ResponseEvent>) {
        let mut open: Vec<usize> = self.calls.values().filter(|call| call.open).map(|call| call.index).collect();
        open.extend(self.others.values().filter(|other| other.open).map(|other| other.index));
        open.extend(self.open_item.as_ref().map(|open| open.index));
        open.sort_unstable();
        let last = self.items.len().checked_sub(1);
        for index in open {
            let status = match cut {
                Cut::Nothing => ItemStatus::Completed,
                Cut::Last if Some(index) != last => ItemStatus::Completed,
                Cut::Last | Cut::Everything => ItemStatus::Incomplete,
            };
            match self.items.get(index) {
                Some(Item::Message(_) | Item::Reasoning(_)) => self.close_open_item(status, events),
                Some(Item::FunctionCall(_)) => self.close_call(index, status, events),
                Some(Item::Other(_)) => self.cut_other(index, status, events),
                Some(Item::FunctionCallOutput(_)) | None => {}
            }
        }
    }

    fn add(&mut self, item: Item, events: &mut Vec<ResponseEvent>) -> usize {
        self.pieces += 1;
        let index = self.items.len();
        self.items.push(item.clone());
        let sequence_number = self.number();
        events.push(ResponseEvent::OutputItemAdded {
            sequence_number,
            output_index: position(index),
            item: Box::new(item),
        });
        index
    }

    fn close_item(&mut self, index: usize, status: ItemStatus, events: &mut Vec<ResponseEvent>) {
        let Some(item) = self.items.get_mut(index) else { return };
        match item {
            Item::Message(item) => item.status = status,
            Item::Reasoning(item) => item.status = status,
            Item::FunctionCall(item) => item.status = status,
            Item::FunctionCallOutput(item) => item.status = status,
            // Such an item keeps the status that its provider gave it.
            Item::Other(_) => {}
        }
        let item = Box::new(item.clone());
        let sequence_number = self.number();
        events.push(ResponseEvent::OutputItemDone { sequence_number, output_index: position(index), item });
    }

    fn next_id(&self, prefix: &str) -> ItemId {
        ItemId::of_output(prefix, self.response, position(self.items.len()))
    }
}

/// The fields that a provider adds to an item, without those that this server sets itself.
fn without_own(extra: JsonObject) -> JsonObject {
    const OWN: [&str; 10] =
        ["id", "type", "status", "role", "content", "summary", "encrypted_content", "call_id", "name", "arguments"];
    extra.without(&OWN)
}

/// Which open items are incomplete when the output is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// None: all are complete.
    Nothing,
    /// Only the last item.
    Last,
    /// All of them.
    Everything,
}

/// Positions fit in 32 bits: a response's output is bounded far below.
fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
