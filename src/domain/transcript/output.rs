//! The output under construction: opens and closes items and their parts, and says so in events.

use std::collections::BTreeMap;

use crate::domain::{Attempt, CallIndex};
use crate::protocol::{
    ContentPart, FunctionCall, FunctionCallOutput, Item, ItemId, ItemStatus, Message, OutputText, Reasoning,
    ReasoningText, ResponseEvent, ResponseId, Role,
};

/// What a provider says when it is not calling a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    Text,
    Refusal,
    Reasoning,
}

/// The output so far, and where the next piece goes.
#[derive(Debug, Clone)]
pub(super) struct Output {
    response: ResponseId,
    pub(super) next_sequence: u64,
    pub(super) items: Vec<Item>,
    /// How many items and parts of items were begun.
    pub(super) pieces: usize,
    /// The open message or reasoning item; always the last of its kind, at most one.
    speaking: Option<usize>,
    /// Open function calls by the attempt's own count.
    calls: BTreeMap<(Attempt, CallIndex), Call>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    index: usize,
    open: bool,
    answered: bool,
}

type Events = Vec<ResponseEvent>;

impl Output {
    pub(super) fn new(response: ResponseId) -> Self {
        Self { response, next_sequence: 0, items: Vec::new(), pieces: 0, speaking: None, calls: BTreeMap::new() }
    }

    pub(super) fn response(&self) -> ResponseId {
        self.response
    }

    pub(super) fn number(&mut self) -> u64 {
        let number = self.next_sequence;
        self.next_sequence += 1;
        number
    }

    /// A piece of text, refusal or reasoning.
    pub(super) fn say(&mut self, voice: Voice, text: String, events: &mut Events) {
        if text.is_empty() {
            return;
        }
        let (index, part) = self.part_for(voice, events);
        let Some(item) = self.items.get_mut(index) else { return };
        append(item, voice, &text);
        let (item_id, output_index, content_index) = (item.id().clone(), place(index), place(part));
        let (sequence_number, delta) = (self.number(), text);
        events.push(match voice {
            Voice::Text => ResponseEvent::OutputTextDelta {
                sequence_number,
                item_id,
                output_index,
                content_index,
                delta,
                logprobs: [],
            },
            Voice::Refusal => {
                ResponseEvent::RefusalDelta { sequence_number, item_id, output_index, content_index, delta }
            }
            Voice::Reasoning => {
                ResponseEvent::ReasoningTextDelta { sequence_number, item_id, output_index, content_index, delta }
            }
        });
    }

    /// The item and part that the next piece goes to; opens them where they are not open yet.
    fn part_for(&mut self, voice: Voice, events: &mut Events) -> (usize, usize) {
        if let Some(index) = self.speaking {
            match (&self.items[index], voice) {
                (Item::Reasoning(item), Voice::Reasoning) => return (index, item.content.len() - 1),
                (Item::Message(item), Voice::Text | Voice::Refusal) => {
                    let last = item.content.len() - 1;
                    if voice_of(&item.content[last]) == voice {
                        return (index, last);
                    }
                    self.close_part(index, events);
                    self.add_part(index, voice, events);
                    return (index, last + 1);
                }
                (Item::Message(_) | Item::Reasoning(_) | Item::FunctionCall(_) | Item::FunctionCallOutput(_), _) => {
                    self.close_speaking(ItemStatus::Completed, events);
                }
            }
        }
        let index = self.open_speaker(voice, events);
        self.add_part(index, voice, events);
        (index, 0)
    }

    fn open_speaker(&mut self, voice: Voice, events: &mut Events) -> usize {
        let status = ItemStatus::InProgress;
        let item = match voice {
            Voice::Text | Voice::Refusal => {
                Item::Message(Message { id: self.next_id("msg_"), role: Role::Assistant, status, content: Vec::new() })
            }
            Voice::Reasoning => {
                Item::Reasoning(Reasoning { id: self.next_id("rs_"), summary: Vec::new(), content: Vec::new(), status })
            }
        };
        let index = self.add(item, events);
        self.speaking = Some(index);
        index
    }

    fn add_part(&mut self, index: usize, voice: Voice, events: &mut Events) {
        self.pieces += 1;
        let part = match voice {
            Voice::Text => ContentPart::OutputText(OutputText::default()),
            Voice::Refusal => ContentPart::Refusal { refusal: String::new() },
            Voice::Reasoning => ContentPart::ReasoningText { text: String::new() },
        };
        let content_index = match &mut self.items[index] {
            Item::Message(item) => {
                item.content.push(part.clone());
                item.content.len() - 1
            }
            Item::Reasoning(item) => {
                item.content.push(ReasoningText { text: String::new() });
                item.content.len() - 1
            }
            Item::FunctionCall(_) | Item::FunctionCallOutput(_) => return,
        };
        events.push(ResponseEvent::ContentPartAdded {
            sequence_number: self.number(),
            item_id: self.items[index].id().clone(),
            output_index: place(index),
            content_index: place(content_index),
            part,
        });
    }

    /// Ends the last part of an item: what was said in it, whole.
    fn close_part(&mut self, index: usize, events: &mut Events) {
        let (part, content_index) = match &self.items[index] {
            Item::Message(item) => (item.content.last().cloned(), item.content.len()),
            Item::Reasoning(item) => (
                item.content.last().map(|part| ContentPart::ReasoningText { text: part.text.clone() }),
                item.content.len(),
            ),
            Item::FunctionCall(_) | Item::FunctionCallOutput(_) => (None, 0),
        };
        let Some(part) = part else { return };
        let item_id = self.items[index].id().clone();
        let (output_index, content_index) = (place(index), place(content_index - 1));
        let sequence_number = self.number();
        let (id, said) = (item_id.clone(), part.clone());
        match said {
            ContentPart::OutputText(OutputText { text, .. }) => events.push(ResponseEvent::OutputTextDone {
                sequence_number,
                item_id: id,
                output_index,
                content_index,
                text,
                logprobs: [],
            }),
            ContentPart::Refusal { refusal } => events.push(ResponseEvent::RefusalDone {
                sequence_number,
                item_id: id,
                output_index,
                content_index,
                refusal,
            }),
            ContentPart::ReasoningText { text } | ContentPart::InputText { text } => {
                events.push(ResponseEvent::ReasoningTextDone {
                    sequence_number,
                    item_id: id,
                    output_index,
                    content_index,
                    text,
                });
            }
        }
        let sequence_number = self.number();
        events.push(ResponseEvent::ContentPartDone { sequence_number, item_id, output_index, content_index, part });
    }

    fn close_speaking(&mut self, status: ItemStatus, events: &mut Events) {
        if let Some(index) = self.speaking.take() {
            self.close_part(index, events);
            self.close_item(index, status, events);
        }
    }

    /// A function call began. A second beginning of the same call is nothing.
    pub(super) fn start_call(&mut self, key: (Attempt, CallIndex), call_id: String, name: String, events: &mut Events) {
        if self.calls.contains_key(&key) {
            return;
        }
        self.close_speaking(ItemStatus::Completed, events);
        let (id, arguments) = (self.next_id("fc_"), String::new());
        let call = FunctionCall { id, call_id, name, arguments, status: ItemStatus::InProgress };
        let index = self.add(Item::FunctionCall(call), events);
        self.calls.insert(key, Call { index, open: true, answered: false });
    }

    /// Argument text of an open call.
    pub(super) fn argue(&mut self, key: (Attempt, CallIndex), text: String, events: &mut Events) {
        let Some(Call { index, open: true, .. }) = self.calls.get(&key).copied() else { return };
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
            output_index: place(index),
            delta: text,
        });
    }

    /// What a call that this server ran gave.
    pub(super) fn answer(
        &mut self,
        key: (Attempt, CallIndex),
        output: String,
        status: ItemStatus,
        events: &mut Events,
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

    /// Closes all that is open. Where the end came too early the last item is incomplete; how much of what
    /// was open is, `cut` says.
    pub(super) fn close(&mut self, cut: Cut, events: &mut Events) {
        let mut open: Vec<usize> = self.calls.values().filter(|call| call.open).map(|call| call.index).collect();
        open.extend(self.speaking);
        open.sort_unstable();
        let last = self.items.len().checked_sub(1);
        for index in open {
            let status = match cut {
                Cut::Nothing => ItemStatus::Completed,
                Cut::Last if Some(index) != last => ItemStatus::Completed,
                Cut::Last | Cut::Everything => ItemStatus::Incomplete,
            };
            if self.speaking == Some(index) {
                self.close_speaking(status, events);
            } else {
                self.close_call(index, status, events);
            }
        }
    }

    fn close_call(&mut self, index: usize, status: ItemStatus, events: &mut Events) {
        for call in self.calls.values_mut().filter(|call| call.index == index) {
            call.open = false;
        }
        let Some(Item::FunctionCall(call)) = self.items.get_mut(index) else { return };
        if status == ItemStatus::Completed {
            if call.arguments.is_empty() {
                // A call without arguments: clients parse them as JSON.
                call.arguments.push_str("{}");
            }
            let (item_id, name, arguments) = (call.id.clone(), call.name.clone(), call.arguments.clone());
            let sequence_number = self.number();
            let output_index = place(index);
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

    fn add(&mut self, item: Item, events: &mut Events) -> usize {
        self.pieces += 1;
        let index = self.items.len();
        self.items.push(item.clone());
        let sequence_number = self.number();
        events.push(ResponseEvent::OutputItemAdded {
            sequence_number,
            output_index: place(index),
            item: Box::new(item),
        });
        index
    }

    fn close_item(&mut self, index: usize, status: ItemStatus, events: &mut Events) {
        let Some(item) = self.items.get_mut(index) else { return };
        match item {
            Item::Message(item) => item.status = status,
            Item::Reasoning(item) => item.status = status,
            Item::FunctionCall(item) => item.status = status,
            Item::FunctionCallOutput(item) => item.status = status,
        }
        let item = Box::new(item.clone());
        let sequence_number = self.number();
        events.push(ResponseEvent::OutputItemDone { sequence_number, output_index: place(index), item });
    }

    fn next_id(&self, prefix: &str) -> ItemId {
        ItemId::of_output(prefix, self.response, place(self.items.len()))
    }
}

/// How much of what is open was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// All is whole.
    Nothing,
    /// Only the last item is not.
    Last,
    /// Whatever is open is not whole.
    Everything,
}

fn voice_of(part: &ContentPart) -> Voice {
    match part {
        ContentPart::OutputText(_) | ContentPart::InputText { .. } => Voice::Text,
        ContentPart::Refusal { .. } => Voice::Refusal,
        ContentPart::ReasoningText { .. } => Voice::Reasoning,
    }
}

fn append(item: &mut Item, voice: Voice, piece: &str) {
    match item {
        Item::Message(Message { content, .. }) => match content.last_mut() {
            Some(ContentPart::OutputText(part)) if voice == Voice::Text => part.text.push_str(piece),
            Some(ContentPart::Refusal { refusal }) if voice == Voice::Refusal => refusal.push_str(piece),
            Some(_) | None => {}
        },
        Item::Reasoning(Reasoning { content, .. }) => {
            if let Some(part) = content.last_mut() {
                part.text.push_str(piece);
            }
        }
        Item::FunctionCall(_) | Item::FunctionCallOutput(_) => {}
    }
}

/// Positions fit in 32 bits: a response's output is bounded far below.
fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
