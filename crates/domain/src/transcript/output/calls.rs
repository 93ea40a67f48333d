//! Function calls, and the answers of those that this server runs.

use super::{Key, OutputBuilder, position, without_own};
use crate::{Attempt, CallIndex};
use antiphon_protocol::{FunctionCall, FunctionCallOutput, Item, ItemStatus, JsonObject, ResponseEvent};

/// A function call's position in the output, and its state.
#[derive(Debug, Clone, Copy)]
pub(super) struct FunctionCallState {
    pub(super) index: usize,
    pub(super) open: bool,
    pub(super) answered: bool,
}

impl OutputBuilder {
    /// Begins a function call. A second beginning of the same call is ignored.
    pub(in crate::transcript) fn start_call(
        &mut self,
        key: Key,
        call_id: String,
        name: String,
        events: &mut Vec<ResponseEvent>,
    ) {
        if self.calls.contains_key(&key) {
            return;
        }
        self.close_open_item(ItemStatus::Completed, events);
        let (id, arguments, extra) = (self.next_id("fc_"), String::new(), JsonObject::new());
        let call = FunctionCall { id, call_id, name, arguments, status: ItemStatus::InProgress, extra };
        let index = self.add(Item::FunctionCall(call), events);
        self.calls.insert(key, FunctionCallState { index, open: true, answered: false });
    }

    /// Appends argument text to an open call.
    pub(in crate::transcript) fn append_arguments(&mut self, key: Key, text: String, events: &mut Vec<ResponseEvent>) {
        let Some(FunctionCallState { index, open: true, .. }) = self.calls.get(&key).copied() else { return };
        let Some(Item::FunctionCall(call)) = self.items.get_mut(index) else { return };
        if text.is_empty() {
            return;
        }
        call.arguments.push_str(&text);
        let item_id = call.id.clone();
        let sequence_number = self.number();
        events.push(ResponseEvent::FunctionCallArgumentsDelta {
            sequence_number,
            item_id,
            output_index: position(index),
            delta: text,
        });
    }

    /// Completes a call.
    pub(in crate::transcript) fn finish_call(&mut self, key: Key, extra: JsonObject, events: &mut Vec<ResponseEvent>) {
        let Some(FunctionCallState { index, open: true, .. }) = self.calls.get(&key).copied() else { return };
        if let Some(Item::FunctionCall(call)) = self.items.get_mut(index) {
            call.extra = without_own(extra);
        }
        self.close_call(index, ItemStatus::Completed, events);
    }

    /// Adds the output of a call that this server ran.
    pub(in crate::transcript) fn answer(
        &mut self,
        key: Key,
        output: String,
        status: ItemStatus,
        events: &mut Vec<ResponseEvent>,
    ) {
        let Some(call) = self.calls.get_mut(&key).filter(|call| !call.open && !call.answered) else { return };
        call.answered = true;
        let Some(Item::FunctionCall(FunctionCall { call_id, .. })) = self.items.get(call.index) else { return };
        let (id, call_id) = (self.next_id("fco_"), call_id.clone());
        let empty = FunctionCallOutput { id, call_id, output: String::new(), status: ItemStatus::InProgress };
        let index = self.add(Item::FunctionCallOutput(empty), events);
        if let Some(Item::FunctionCallOutput(item)) = self.items.get_mut(index) {
            item.output = output;
        }
        self.close_item(index, status, events);
    }

    /// The call of that number, in whatever state it is.
    pub(in crate::transcript) fn function_call(&self, key: Key) -> Option<&FunctionCall> {
        match self.items.get(self.calls.get(&key)?.index)? {
            Item::FunctionCall(call) => Some(call),
            Item::Message(_) | Item::Reasoning(_) | Item::FunctionCallOutput(_) | Item::Other(_) => None,
        }
    }

    /// Whether the attempt made any calls but these.
    pub(in crate::transcript) fn has_other_calls(&self, attempt: Attempt, is_one: impl Fn(CallIndex) -> bool) -> bool {
        self.calls.keys().any(|(of, call)| *of == attempt && !is_one(*call))
    }

    pub(super) fn close_call(&mut self, index: usize, status: ItemStatus, events: &mut Vec<ResponseEvent>) {
        for call in self.calls.values_mut().filter(|call| call.index == index) {
            call.open = false;
        }
        let Some(Item::FunctionCall(call)) = self.items.get_mut(index) else { return };
        if status == ItemStatus::Completed {
            if call.arguments.is_empty() {
                // In a log of an older version; now such a call has the piece `{}`.
                call.arguments.push_str("{}");
            }
            let (item_id, name, arguments) = (call.id.clone(), call.name.clone(), call.arguments.clone());
            let sequence_number = self.number();
            let output_index = position(index);
            events.push(ResponseEvent::FunctionCallArgumentsDone {
                sequence_number,
                item_id,
                output_index,
                name,
                arguments,
            });
        }
        self.close_item(index, status, events);
    }
}
