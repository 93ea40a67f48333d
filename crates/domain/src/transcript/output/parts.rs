//! Messages and reasoning items, and their parts.

use super::{OutputBuilder, position, without_own};
use antiphon_protocol::{
    ContentPart, Item, ItemId, ItemStatus, JsonObject, LogProb, Message, OutputText, Reasoning, ReasoningText,
    ResponseEvent, Role, SummaryText,
};

/// The kind of a part of a message or reasoning item. Pieces of one kind in a row are one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transcript) enum PartKind {
    Text,
    Refusal,
    Reasoning,
    /// A summary of the reasoning, by its number.
    Summary(u32),
}

/// The open message or reasoning item.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenItem {
    pub(super) index: usize,
    /// The open part.
    part: Option<PartKind>,
}

/// The position of a part.
struct PartPosition {
    item_id: ItemId,
    output_index: u32,
    content_index: u32,
}

impl PartKind {
    fn is_reasoning(self) -> bool {
        match self {
            Self::Reasoning | Self::Summary(_) => true,
            Self::Text | Self::Refusal => false,
        }
    }
}

impl OutputBuilder {
    /// Appends a piece of text, refusal, reasoning or summary.
    pub(in crate::transcript) fn append_text(
        &mut self,
        kind: PartKind,
        text: String,
        logprobs: Vec<LogProb>,
        events: &mut Vec<ResponseEvent>,
    ) {
        if text.is_empty() && logprobs.is_empty() {
            return;
        }
        let index = self.open_part(kind, events);
        let Some(item) = self.items.get_mut(index) else { return };
        append(item, kind, &text, &logprobs);
        let PartPosition { item_id, output_index, content_index } = self.last_part(index, kind);
        let (sequence_number, delta) = (self.number(), text);
        events.push(match kind {
            PartKind::Text => ResponseEvent::OutputTextDelta {
                sequence_number,
                item_id,
                output_index,
                content_index,
                delta,
                logprobs,
            },
            PartKind::Refusal => {
                ResponseEvent::RefusalDelta { sequence_number, item_id, output_index, content_index, delta }
            }
            PartKind::Reasoning => {
                ResponseEvent::ReasoningTextDelta { sequence_number, item_id, output_index, content_index, delta }
            }
            PartKind::Summary(_) => ResponseEvent::ReasoningSummaryTextDelta {
                sequence_number,
                item_id,
                output_index,
                summary_index: content_index,
                delta,
            },
        });
    }

    /// Adds a note on the text so far.
    pub(in crate::transcript) fn annotate(&mut self, annotation: JsonObject, events: &mut Vec<ResponseEvent>) {
        let index = self.open_part(PartKind::Text, events);
        let Some(Item::Message(Message { content, .. })) = self.items.get_mut(index) else { return };
        let Some(ContentPart::OutputText(part)) = content.last_mut() else { return };
        part.annotations.push(annotation.clone());
        let annotation_index = position(part.annotations.len() - 1);
        self.pieces += 1;
        let PartPosition { item_id, output_index, content_index } = self.last_part(index, PartKind::Text);
        events.push(ResponseEvent::AnnotationAdded {
            sequence_number: self.number(),
            item_id,
            output_index,
            content_index,
            annotation_index,
            annotation,
        });
    }

    /// Adds the encrypted form, which only the provider can read, to the open reasoning item, or to a new one.
    pub(in crate::transcript) fn set_encrypted_content(
        &mut self,
        encrypted_content: String,
        events: &mut Vec<ResponseEvent>,
    ) {
        let index = self.item_of_kind(PartKind::Reasoning, events);
        if let Some(Item::Reasoning(item)) = self.items.get_mut(index) {
            item.encrypted_content = Some(encrypted_content);
        }
    }

    /// Completes the open part.
    pub(in crate::transcript) fn finish_part(&mut self, events: &mut Vec<ResponseEvent>) {
        let Some(OpenItem { index, part }) = &mut self.open_item else { return };
        let index = *index;
        if let Some(kind) = part.take() {
            self.close_part(index, kind, events);
        }
    }

    /// Completes the open message or reasoning item.
    pub(in crate::transcript) fn finish_item(&mut self, extra: JsonObject, events: &mut Vec<ResponseEvent>) {
        let Some(OpenItem { index, .. }) = self.open_item else { return };
        let extra = without_own(extra);
        match self.items.get_mut(index) {
            Some(Item::Message(item)) => item.extra = extra,
            Some(Item::Reasoning(item)) => item.extra = extra,
            Some(Item::FunctionCall(_) | Item::FunctionCallOutput(_) | Item::Other(_)) | None => {}
        }
        self.close_open_item(ItemStatus::Completed, events);
    }

    pub(super) fn close_open_item(&mut self, status: ItemStatus, events: &mut Vec<ResponseEvent>) {
        self.finish_part(events);
        if let Some(OpenItem { index, .. }) = self.open_item.take() {
            self.close_item(index, status, events);
        }
    }

    /// Returns the item whose last part takes the next piece; opens item and part if they are not open yet.
    fn open_part(&mut self, kind: PartKind, events: &mut Vec<ResponseEvent>) -> usize {
        let index = self.item_of_kind(kind, events);
        let open = self.open_item.and_then(|item| item.part);
        if open != Some(kind) {
            self.finish_part(events);
            self.add_part(index, kind, events);
            self.open_item = Some(OpenItem { index, part: Some(kind) });
        }
        index
    }

    fn item_of_kind(&mut self, kind: PartKind, events: &mut Vec<ResponseEvent>) -> usize {
        if let Some(OpenItem { index, .. }) = self.open_item {
            let is_reasoning = matches!(self.items.get(index), Some(Item::Reasoning(_)));
            if is_reasoning == kind.is_reasoning() {
                return index;
            }
            self.close_open_item(ItemStatus::Completed, events);
        }
        let status = ItemStatus::InProgress;
        let item = if kind.is_reasoning() {
            Item::Reasoning(Reasoning {
                id: self.next_id("rs_"),
                summary: Vec::new(),
                content: Vec::new(),
                encrypted_content: None,
                status,
                extra: JsonObject::new(),
            })
        } else {
            let (id, content, extra) = (self.next_id("msg_"), Vec::new(), JsonObject::new());
            Item::Message(Message { id, role: Role::Assistant, status, content, extra })
        };
        let index = self.add(item, events);
        self.open_item = Some(OpenItem { index, part: None });
        index
    }

    fn add_part(&mut self, index: usize, kind: PartKind, events: &mut Vec<ResponseEvent>) {
        self.pieces += 1;
        let empty = String::new;
        match (self.items.get_mut(index), kind) {
            (Some(Item::Message(item)), PartKind::Text) => {
                item.content.push(ContentPart::OutputText(OutputText::default()));
            }
            (Some(Item::Message(item)), PartKind::Refusal) => {
                item.content.push(ContentPart::Refusal { refusal: empty() })
            }
            (Some(Item::Reasoning(item)), PartKind::Reasoning) => item.content.push(ReasoningText { text: empty() }),
            (Some(Item::Reasoning(item)), PartKind::Summary(_)) => item.summary.push(SummaryText { text: empty() }),
            (Some(_) | None, _) => return,
        }
        let PartPosition { item_id, output_index, content_index } = self.last_part(index, kind);
        let sequence_number = self.number();
        let part = match kind {
            PartKind::Summary(_) => {
                let (summary_index, part) = (content_index, SummaryText { text: empty() });
                return events.push(ResponseEvent::ReasoningSummaryPartAdded {
                    sequence_number,
                    item_id,
                    output_index,
                    summary_index,
                    part,
                });
            }
            PartKind::Text => ContentPart::OutputText(OutputText::default()),
            PartKind::Refusal => ContentPart::Refusal { refusal: empty() },
            PartKind::Reasoning => ContentPart::ReasoningText { text: empty() },
        };
        events.push(ResponseEvent::ContentPartAdded { sequence_number, item_id, output_index, content_index, part });
    }

    /// Ends the last part of that kind, with the whole of its text.
    fn close_part(&mut self, index: usize, kind: PartKind, events: &mut Vec<ResponseEvent>) {
        let position = self.last_part(index, kind);
        let part = match self.items.get(index) {
            Some(Item::Message(item)) => item.content.last().cloned(),
            Some(Item::Reasoning(item)) => match kind {
                PartKind::Summary(_) => {
                    let Some(part) = item.summary.last().cloned() else { return };
                    return self.close_summary(position, part, events);
                }
                PartKind::Reasoning | PartKind::Text | PartKind::Refusal => {
                    item.content.last().map(|part| ContentPart::ReasoningText { text: part.text.clone() })
                }
            },
            Some(Item::FunctionCall(_) | Item::FunctionCallOutput(_) | Item::Other(_)) | None => None,
        };
        let Some(part) = part else { return };
        let PartPosition { item_id, output_index, content_index } = position;
        let (sequence_number, id) = (self.number(), item_id.clone());
        events.push(match part.clone() {
            ContentPart::OutputText(OutputText { text, logprobs, .. }) => ResponseEvent::OutputTextDone {
                sequence_number,
                item_id: id,
                output_index,
                content_index,
                text,
                logprobs,
            },
            ContentPart::Refusal { refusal } => {
                ResponseEvent::RefusalDone { sequence_number, item_id: id, output_index, content_index, refusal }
            }
            ContentPart::ReasoningText { text } | ContentPart::InputText { text, .. } => {
                ResponseEvent::ReasoningTextDone { sequence_number, item_id: id, output_index, content_index, text }
            }
        });
        let sequence_number = self.number();
        events.push(ResponseEvent::ContentPartDone { sequence_number, item_id, output_index, content_index, part });
    }

    fn close_summary(&mut self, position: PartPosition, part: SummaryText, events: &mut Vec<ResponseEvent>) {
        let PartPosition { item_id, output_index, content_index: summary_index } = position;
        let (id, text) = (item_id.clone(), part.text.clone());
        let sequence_number = self.number();
        events.push(ResponseEvent::ReasoningSummaryTextDone {
            sequence_number,
            item_id: id,
            output_index,
            summary_index,
            text,
        });
        let sequence_number = self.number();
        events.push(ResponseEvent::ReasoningSummaryPartDone {
            sequence_number,
            item_id,
            output_index,
            summary_index,
            part,
        });
    }

    /// The position of the last part of that kind.
    fn last_part(&self, index: usize, kind: PartKind) -> PartPosition {
        let (id, parts) = match self.items.get(index) {
            Some(Item::Message(item)) => (Some(&item.id), item.content.len()),
            Some(Item::Reasoning(item)) => match kind {
                PartKind::Summary(_) => (Some(&item.id), item.summary.len()),
                PartKind::Reasoning | PartKind::Text | PartKind::Refusal => (Some(&item.id), item.content.len()),
            },
            Some(item) => (Some(item.id()), 0),
            None => (None, 0),
        };
        let item_id = id.cloned().unwrap_or_else(|| String::new().into());
        PartPosition { item_id, output_index: position(index), content_index: position(parts.saturating_sub(1)) }
    }
}

fn append(item: &mut Item, kind: PartKind, piece: &str, logprobs: &[LogProb]) {
    match (item, kind) {
        (Item::Message(Message { content, .. }), _) => match content.last_mut() {
            Some(ContentPart::OutputText(part)) if kind == PartKind::Text => {
                part.text.push_str(piece);
                part.logprobs.extend_from_slice(logprobs);
            }
            Some(ContentPart::Refusal { refusal }) if kind == PartKind::Refusal => refusal.push_str(piece),
            Some(_) | None => {}
        },
        (Item::Reasoning(Reasoning { summary, .. }), PartKind::Summary(_)) => {
            if let Some(part) = summary.last_mut() {
                part.text.push_str(piece);
            }
        }
        (Item::Reasoning(Reasoning { content, .. }), _) => {
            if let Some(part) = content.last_mut() {
                part.text.push_str(piece);
            }
        }
        (Item::FunctionCall(_) | Item::FunctionCallOutput(_) | Item::Other(_), _) => {}
    }
}
