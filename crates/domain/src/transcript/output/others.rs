//! Items of kinds that this server does not know: passed on as their provider wrote them.

use super::{Key, OutputBuilder, position};
use antiphon_protocol::{Item, ItemStatus, Json, JsonObject, OtherEvent, OtherItem, ResponseEvent};

/// The events of the contract about items of other kinds. Clients fail on events that they do not know, so no
/// others are passed on.
const EVENTS: [&str; 27] = [
    "response.code_interpreter_call.completed",
    "response.code_interpreter_call.in_progress",
    "response.code_interpreter_call.interpreting",
    "response.code_interpreter_call_code.delta",
    "response.code_interpreter_call_code.done",
    "response.compaction.compacting",
    "response.custom_tool_call_input.delta",
    "response.custom_tool_call_input.done",
    "response.file_search_call.completed",
    "response.file_search_call.in_progress",
    "response.file_search_call.searching",
    "response.image_generation_call.completed",
    "response.image_generation_call.generating",
    "response.image_generation_call.in_progress",
    "response.image_generation_call.partial_image",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "response.mcp_call.in_progress",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.mcp_list_tools.completed",
    "response.mcp_list_tools.failed",
    "response.mcp_list_tools.in_progress",
    "response.shell_call_output_content.delta",
    "response.web_search_call.completed",
    "response.web_search_call.in_progress",
    "response.web_search_call.searching",
];

/// Fields of an item that this server writes itself.
const OWN_OF_ITEMS: [&str; 2] = ["type", "id"];

/// Fields of an event that this server writes itself, and one that SDKs take for the end of the stream.
const OWN_OF_EVENTS: [&str; 5] = ["type", "sequence_number", "item_id", "output_index", "error"];

/// The longest prefix that is taken over from a provider's id.
const LONGEST_PREFIX: usize = 16;

/// Where an item of an unknown kind stands in the output, and whether it is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct OtherItemState {
    pub(super) index: usize,
    pub(super) open: bool,
}

impl OutputBuilder {
    /// Begins an item of an unknown kind. One without a type, or that has begun already, is ignored.
    pub(in crate::transcript) fn start_other(&mut self, key: Key, fields: JsonObject, events: &mut Vec<ResponseEvent>) {
        let Some(kind) = fields.text("type") else { return };
        if self.others.contains_key(&key) {
            return;
        }
        self.close_open_item(ItemStatus::Completed, events);
        let id = self.next_id(prefix(&fields.text("id").unwrap_or_default()));
        let fields = fields.without(&OWN_OF_ITEMS);
        let index = self.add(Item::Other(OtherItem { id, kind, fields }), events);
        self.others.insert(key, OtherItemState { index, open: true });
    }

    /// Passes on an event about such an item.
    pub(in crate::transcript) fn report_other(
        &mut self,
        key: Key,
        kind: String,
        fields: JsonObject,
        events: &mut Vec<ResponseEvent>,
    ) {
        let Some(OtherItemState { index, open: true }) = self.others.get(&key).copied() else { return };
        let Some(item_id) = self.items.get(index).map(|item| item.id().clone()) else { return };
        if EVENTS.binary_search(&kind.as_str()).is_err() {
            return;
        }
        let sequence_number = self.number();
        events.push(ResponseEvent::Other(OtherEvent {
            kind,
            sequence_number,
            item_id,
            output_index: position(index),
            fields: fields.without(&OWN_OF_EVENTS),
        }));
    }

    /// Completes such an item.
    pub(in crate::transcript) fn finish_other(
        &mut self,
        key: Key,
        fields: JsonObject,
        events: &mut Vec<ResponseEvent>,
    ) {
        let Some(other) = self.others.get_mut(&key).filter(|other| other.open) else { return };
        other.open = false;
        let index = other.index;
        if let Some(Item::Other(item)) = self.items.get_mut(index) {
            item.fields = fields.without(&OWN_OF_ITEMS);
        }
        self.close_item(index, ItemStatus::Completed, events);
    }

    /// Ends such an item that its provider did not complete.
    pub(super) fn cut_other(&mut self, index: usize, status: ItemStatus, events: &mut Vec<ResponseEvent>) {
        for other in self.others.values_mut().filter(|other| other.index == index) {
            other.open = false;
        }
        let word = match status {
            ItemStatus::Completed => "completed",
            ItemStatus::InProgress | ItemStatus::Incomplete => "incomplete",
        };
        if let Some(Item::Other(item)) = self.items.get_mut(index) {
            let told = |(key, value)| if key == "status" { (key, Json::from(word)) } else { (key, value) };
            item.fields = item.fields.iter().map(told).collect();
        }
        self.close_item(index, status, events);
    }
}

/// Providers name the kind of an item in its id: `ws_` for a web search, say.
fn prefix(id: &str) -> &str {
    match id.find('_') {
        Some(end) if end < LONGEST_PREFIX && id[..end].bytes().all(|byte| byte.is_ascii_lowercase()) => &id[..=end],
        Some(_) | None => "item_",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_events_are_in_the_order_that_their_search_needs() {
        assert!(super::EVENTS.is_sorted());
    }
}
