//! What a provider says when it is not calling a function: messages and thoughts.

use super::{Events, Output, place, without_own};
use antiphon_protocol::{
    ContentPart, Extra, Item, ItemId, ItemStatus, LogProb, Message, OutputText, Reasoning, ReasoningText,
    ResponseEvent, Role, SummaryText,
};

/// The kind of a piece of speech. Pieces of one kind in a row are one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transcript) enum Voice {
    Text,
    Refusal,
    Reasoning,
    /// A summary of a thought, by its number.
    Summary(u32),
}

/// The open message or reasoning item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speaking {
    pub(super) index: usize,
    /// The open part.
    part: Option<Voice>,
}

/// Where a part stands.
struct PartPlace {
    item_id: ItemId,
    output_index: u32,
    content_index: u32,
}

impl Voice {
    fn is_thought(self) -> bool {
        match self {
            Self::Reasoning | Self::Summary(_) => true,
            Self::Text | Self::Refusal => false,
        }
    }
}

impl Output {
    /// A piece of text, refusal, reasoning or summary.
    pub(in crate::transcript) fn say(
        &mut self,
        voice: Voice,
        text: String,
        logprobs: Vec<LogProb>,
        events: &mut Events,
    ) {
        if text.is_empty() && logprobs.is_empty() {
            return;
        }
        let index = self.part_for(voice, events);
        let Some(item) = self.items.get_mut(index) else { return };
        append(item, voice, &text, &logprobs);
        let PartPlace { item_id, output_index, content_index } = self.last_part(index, voice);
        let (sequence_number, delta) = (self.number(), text);
        events.push(match voice {
            Voice::Text => ResponseEvent::OutputTextDelta {
                sequence_number,
                item_id,
                output_index,
                content_index,
                delta,
                logprobs,
            },
            Voice::Refusal => {
                ResponseEvent::RefusalDelta { sequence_number, item_id, output_index, content_index, delta }
            }
            Voice::Reasoning => {
                ResponseEvent::ReasoningTextDelta { sequence_number, item_id, output_index, content_index, delta }
            }
            Voice::Summary(_) => ResponseEvent::ReasoningSummaryTextDelta {
                sequence_number,
                item_id,
                output_index,
                summary_index: content_index,
                delta,
            },
        });
    }

    /// A note on the text so far.
    pub(in crate::transcript) fn annotate(&mut self, annotation: Extra, events: &mut Events) {
        let index = self.part_for(Voice::Text, events);
        let Some(Item::Message(Message { content, .. })) = self.items.get_mut(index) else { return };
        let Some(ContentPart::OutputText(part)) = content.last_mut() else { return };
        part.annotations.push(annotation.clone());
        let annotation_index = place(part.annotations.len() - 1);
        self.pieces += 1;
        let PartPlace { item_id, output_index, content_index } = self.last_part(index, Voice::Text);
        events.push(ResponseEvent::AnnotationAdded {
            sequence_number: self.number(),
            item_id,
            output_index,
            content_index,
            annotation_index,
            annotation,
        });
    }

    /// The open thought, or one of its own, in a form that only its provider can read.
    pub(in crate::transcript) fn seal(&mut self, encrypted_content: String, events: &mut Events) {
        let index = self.item_for(Voice::Reasoning, events);
        if let Some(Item::Reasoning(item)) = self.items.get_mut(index) {
            item.encrypted_content = Some(encrypted_content);
        }
    }

    /// The open part is whole.
    pub(in crate::transcript) fn finish_part(&mut self, events: &mut Events) {
        let Some(speaking) = &mut self.speaking else { return };
        let index = speaking.index;
        if let Some(voice) = speaking.part.take() {
            self.close_part(index, voice, events);
        }
    }

    /// The open message or thought is whole.
    pub(in crate::transcript) fn finish_speech(&mut self, extra: Extra, events: &mut Events) {
        let Some(Speaking { index, .. }) = self.speaking else { return };
        let extra = without_own(extra);
        match self.items.get_mut(index) {
            Some(Item::Message(item)) => item.extra = extra,
            Some(Item::Reasoning(item)) => item.extra = extra,
            Some(Item::FunctionCall(_) | Item::FunctionCallOutput(_) | Item::Other(_)) | None => {}
        }
        self.close_speaking(ItemStatus::Completed, events);
    }

    pub(super) fn close_speaking(&mut self, status: ItemStatus, events: &mut Events) {
        self.finish_part(events);
        if let Some(Speaking { index, .. }) = self.speaking.take() {
            self.close_item(index, status, events);
        }
    }

    /// The item whose last part the next piece goes to; opens them where they are not open yet.
    fn part_for(&mut self, voice: Voice, events: &mut Events) -> usize {
        let index = self.item_for(voice, events);
        let open = self.speaking.and_then(|speaking| speaking.part);
        if open != Some(voice) {
            self.finish_part(events);
            self.add_part(index, voice, events);
            self.speaking = Some(Speaking { index, part: Some(voice) });
        }
        index
    }

    fn item_for(&mut self, voice: Voice, events: &mut Events) -> usize {
        if let Some(Speaking { index, .. }) = self.speaking {
            let is_thought = matches!(self.items.get(index), Some(Item::Reasoning(_)));
            if is_thought == voice.is_thought() {
                return index;
            }
            self.close_speaking(ItemStatus::Completed, events);
        }
        let status = ItemStatus::InProgress;
        let item = if voice.is_thought() {
            Item::Reasoning(Reasoning {
                id: self.next_id("rs_"),
                summary: Vec::new(),
                content: Vec::new(),
                encrypted_content: None,
                status,
                extra: Extra::new(),
            })
        } else {
            let (id, content, extra) = (self.next_id("msg_"), Vec::new(), Extra::new());
            Item::Message(Message { id, role: Role::Assistant, status, content, extra })
        };
        let index = self.add(item, events);
        self.speaking = Some(Speaking { index, part: None });
        index
    }

    fn add_part(&mut self, index: usize, voice: Voice, events: &mut Events) {
        self.pieces += 1;
        let empty = String::new;
        match (self.items.get_mut(index), voice) {
            (Some(Item::Message(item)), Voice::Text) => {
                item.content.push(ContentPart::OutputText(OutputText::default()));
            }
            (Some(Item::Message(item)), Voice::Refusal) => item.content.push(ContentPart::Refusal { refusal: empty() }),
            (Some(Item::Reasoning(item)), Voice::Reasoning) => item.content.push(ReasoningText { text: empty() }),
            (Some(Item::Reasoning(item)), Voice::Summary(_)) => item.summary.push(SummaryText { text: empty() }),
            (Some(_) | None, _) => return,
        }
        let PartPlace { item_id, output_index, content_index } = self.last_part(index, voice);
        let sequence_number = self.number();
        let part = match voice {
            Voice::Summary(_) => {
                let (summary_index, part) = (content_index, SummaryText { text: empty() });
                return events.push(ResponseEvent::ReasoningSummaryPartAdded {
                    sequence_number,
                    item_id,
                    output_index,
                    summary_index,
                    part,
                });
            }
            Voice::Text => ContentPart::OutputText(OutputText::default()),
            Voice::Refusal => ContentPart::Refusal { refusal: empty() },
            Voice::Reasoning => ContentPart::ReasoningText { text: empty() },
        };
        events.push(ResponseEvent::ContentPartAdded { sequence_number, item_id, output_index, content_index, part });
    }

    /// Ends the last part of that voice: what was said in it, whole.
    fn close_part(&mut self, index: usize, voice: Voice, events: &mut Events) {
        let PartPlace { item_id, output_index, content_index } = self.last_part(index, voice);
        let part = match self.items.get(index) {
            Some(Item::Message(item)) => item.content.last().cloned(),
            Some(Item::Reasoning(item)) => match voice {
                Voice::Summary(_) => {
                    let Some(part) = item.summary.last().cloned() else { return };
                    return self.close_summary((item_id, output_index, content_index), part, events);
                }
                Voice::Reasoning | Voice::Text | Voice::Refusal => {
                    item.content.last().map(|part| ContentPart::ReasoningText { text: part.text.clone() })
                }
            },
            Some(Item::FunctionCall(_) | Item::FunctionCallOutput(_) | Item::Other(_)) | None => None,
        };
        let Some(part) = part else { return };
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
            ContentPart::ReasoningText { text } | ContentPart::InputText { text } => {
                ResponseEvent::ReasoningTextDone { sequence_number, item_id: id, output_index, content_index, text }
            }
        });
        let sequence_number = self.number();
        events.push(ResponseEvent::ContentPartDone { sequence_number, item_id, output_index, content_index, part });
    }

    fn close_summary(
        &mut self,
        (item_id, output_index, summary_index): (ItemId, u32, u32),
        part: SummaryText,
        events: &mut Events,
    ) {
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

    /// Where the last part of that voice stands.
    fn last_part(&self, index: usize, voice: Voice) -> PartPlace {
        let (id, parts) = match self.items.get(index) {
            Some(Item::Message(item)) => (Some(&item.id), item.content.len()),
            Some(Item::Reasoning(item)) => match voice {
                Voice::Summary(_) => (Some(&item.id), item.summary.len()),
                Voice::Reasoning | Voice::Text | Voice::Refusal => (Some(&item.id), item.content.len()),
            },
            Some(item) => (Some(item.id()), 0),
            None => (None, 0),
        };
        let item_id = id.cloned().unwrap_or_else(|| String::new().into());
        PartPlace { item_id, output_index: place(index), content_index: place(parts.saturating_sub(1)) }
    }
}

fn append(item: &mut Item, voice: Voice, piece: &str, logprobs: &[LogProb]) {
    match (item, voice) {
        (Item::Message(Message { content, .. }), _) => match content.last_mut() {
            Some(ContentPart::OutputText(part)) if voice == Voice::Text => {
                part.text.push_str(piece);
                part.logprobs.extend_from_slice(logprobs);
            }
            Some(ContentPart::Refusal { refusal }) if voice == Voice::Refusal => refusal.push_str(piece),
            Some(_) | None => {}
        },
        (Item::Reasoning(Reasoning { summary, .. }), Voice::Summary(_)) => {
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
