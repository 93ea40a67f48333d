//! Messages and reasoning items. One part of one item is open at a time, as the port has it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::event::{ResponsesEvent, ResponsesPartKind, broken, logprobs, rest_unless_cut, text};
use super::output::{ItemBody, OutputItem, ResponsesOutput};
use crate::event_fields::{ReadFields, WrittenFields};
use crate::limits::TOO_MANY_ITEMS;
use crate::said_text::SaidText;
use crate::seal::Sealed;
use crate::{Error, ProviderEvent};
use antiphon_protocol::{JsonObject, LogProb};

/// Fields of a message that other events hold, or that this server sets itself.
const OF_MESSAGES: [&str; 5] = ["id", "type", "role", "status", "content"];

/// The same for reasoning items.
const OF_REASONING: [&str; 6] = ["id", "type", "status", "summary", "content", "encrypted_content"];

/// The message or reasoning item that is being written, and its part.
#[derive(Clone, Copy)]
pub(super) struct OpenPart {
    item: usize,
    part: Option<PartKey>,
}

/// The key of a part within its item. Summaries are counted apart from the content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PartKey {
    is_summary: bool,
    number: u32,
}

/// The item of a part, by its position in the output, and the part.
#[derive(Clone, Copy)]
struct PartLocation {
    position: usize,
    part: PartKey,
}

/// The parts of a message or reasoning item that came so far.
pub(super) struct ItemParts {
    pub(super) is_reasoning: bool,
    parts: BTreeMap<PartKey, OutputPart>,
}

#[derive(Default)]
struct OutputPart {
    text: SaidText,
    annotations: usize,
    done: bool,
}

/// Text of a part, and the part.
struct PartText {
    location: PartLocation,
    part_kind: ResponsesPartKind,
    text: String,
    logprobs: Vec<LogProb>,
}

impl ItemParts {
    pub(super) fn message() -> Self {
        Self { is_reasoning: false, parts: BTreeMap::new() }
    }

    pub(super) fn reasoning() -> Self {
        Self { is_reasoning: true, parts: BTreeMap::new() }
    }
}

impl ResponsesOutput {
    /// Passes a piece of a part on.
    pub(super) fn delta(
        &mut self,
        part_kind: ResponsesPartKind,
        mut event: ResponsesEvent<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let location = self.part_of(part_kind, &event)?;
        let item = self.items.get(location.position).is_some_and(|item| item.done);
        if item {
            return Err(broken("an item goes on after its end"));
        }
        if self.part(location)?.done {
            return Err(broken("a part goes on after its end"));
        }
        let text = event.take_delta()?;
        let text = self.part(location)?.text.join(text);
        let logprobs = logprobs(event.fields.get("logprobs"));
        self.append_text(PartText { location, part_kind, text, logprobs }, events)
    }

    /// Passes on what of a part did not come in pieces.
    pub(super) fn whole(
        &mut self,
        part_kind: ResponsesPartKind,
        mut event: ResponsesEvent<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let Some(text) = event.take_text(part_kind.key()) else { return Ok(()) };
        let location = self.part_of(part_kind, &event)?;
        let logprobs = logprobs(event.fields.get("logprobs"));
        self.append_missing_text(PartText { location, part_kind, text, logprobs }, events)
    }

    /// Ends a part of a message or of a reasoning item's content.
    pub(super) fn part_done(
        &mut self,
        mut event: ResponsesEvent<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let mut fields = event.fields.take_object("part").unwrap_or_default();
        let is_thought =
            |item: &OutputItem| matches!(&item.body, ItemBody::Parts(ItemParts { is_reasoning: true, .. }));
        let unnamed = match self.subject(&event).is_some_and(is_thought) {
            true => ResponsesPartKind::Reasoning,
            false => ResponsesPartKind::Text,
        };
        let Some(part_kind) = part_kind_of(&fields, unnamed) else { return Ok(()) };
        let location = self.part_of(part_kind, &event)?;
        self.finish_part(location, part_kind, &mut fields, events)
    }

    /// Ends a summary.
    pub(super) fn summary_part_done(
        &mut self,
        mut event: ResponsesEvent<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let mut fields = event.fields.take_object("part").unwrap_or_default();
        let location = self.part_of(ResponsesPartKind::Summary, &event)?;
        self.finish_part(location, ResponsesPartKind::Summary, &mut fields, events)
    }

    /// Passes a note on the text on.
    pub(super) fn annotation(
        &mut self,
        mut event: ResponsesEvent<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let location = self.part_of(ResponsesPartKind::Text, &event)?;
        let Some(annotation) = event.fields.take_object("annotation") else { return Ok(()) };
        self.annotate(location, annotation.written_without(&[]), events)
    }

    pub(super) fn finish_message(
        &mut self,
        position: usize,
        mut fields: WrittenFields<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let parts = take_parts(&mut fields, "content");
        let listed = parts.len();
        for (number, mut fields) in parts {
            let part_kind = part_kind_of(&fields, ResponsesPartKind::Text);
            if let Some(part_kind) = part_kind.filter(|part_kind| !part_kind.is_reasoning()) {
                let location = PartLocation { position, part: PartKey { is_summary: false, number } };
                self.recognize_stray(location, (&fields, part_kind), listed)?;
                self.finish_part(location, part_kind, &mut fields, events)?;
            }
        }
        self.finish_item(position, rest_unless_cut(&fields, &OF_MESSAGES), events);
        Ok(())
    }

    pub(super) fn finish_reasoning(
        &mut self,
        position: usize,
        mut fields: WrittenFields<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        for (key, part_kind) in [("summary", ResponsesPartKind::Summary), ("content", ResponsesPartKind::Reasoning)] {
            let parts = take_parts(&mut fields, key);
            let listed = parts.len();
            for (number, mut fields) in parts {
                let part = PartKey { is_summary: part_kind == ResponsesPartKind::Summary, number };
                self.recognize_stray(PartLocation { position, part }, (&fields, part_kind), listed)?;
                self.finish_part(PartLocation { position, part }, part_kind, &mut fields, events)?;
            }
        }
        if let Some(Value::String(data)) = fields.shift_remove("encrypted_content")
            && !data.is_empty()
            && let Some(encrypted_content) = self.origin.seal(&Sealed::Encrypted { data })
        {
            self.open_part(position, None, events);
            events.push(ProviderEvent::EncryptedReasoning { encrypted_content });
        }
        self.finish_item(position, rest_unless_cut(&fields, &OF_REASONING), events);
        Ok(())
    }

    /// Ends the item if it is the open one; otherwise another item that came in between has ended it. A cut item stays
    /// open, and the response's ending decides about it.
    fn finish_item(&mut self, position: usize, extra: Option<JsonObject>, events: &mut Vec<ProviderEvent>) {
        let is_open = self.open.is_some_and(|open| open.item == position);
        if let Some(extra) = extra.filter(|_| is_open) {
            self.open = None;
            events.push(ProviderEvent::ItemFinished { extra: self.origin.mark(extra) });
        }
    }

    /// Ends a part, and passes on what of it did not come before.
    fn finish_part(
        &mut self,
        location: PartLocation,
        part_kind: ResponsesPartKind,
        fields: &mut WrittenFields<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        if self.part(location)?.done {
            return Ok(());
        }
        let text = text(fields, part_kind.key()).unwrap_or_default().to_owned();
        let logprobs = logprobs(fields.get("logprobs"));
        self.append_missing_text(PartText { location, part_kind, text, logprobs }, events)?;
        let known = self.part(location)?.annotations;
        if part_kind == ResponsesPartKind::Text {
            let annotations = fields.take_entries("annotations", |_| None).unwrap_or_default();
            for annotation in annotations.into_iter().skip(known).flatten() {
                self.annotate(location, annotation.written_without(&[]), events)?;
            }
        }
        self.part(location)?.done = true;
        let PartLocation { position, part } = location;
        if let Some(open) = self.open.as_mut().filter(|open| open.item == position && open.part == Some(part)) {
            open.part = None;
            events.push(ProviderEvent::ContentPartFinished);
        }
        Ok(())
    }

    fn append_missing_text(&mut self, words: PartText, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let PartText { location, part_kind, text, logprobs } = words;
        self.recognize_part(location, &text, |_, other| !other.done)?;
        let part = self.part(location)?;
        if part.done {
            return Ok(());
        }
        let is_new = part.text.bytes() == 0;
        let text = part.text.complete(&text);
        let logprobs = if is_new { logprobs } else { Vec::new() };
        self.append_text(PartText { location, part_kind, text, logprobs }, events)
    }

    /// Recognizes a part of a whole item in one that came, and ended, under a number that the item does not have.
    fn recognize_stray(
        &mut self,
        location: PartLocation,
        (fields, part_kind): (&WrittenFields<'_>, ResponsesPartKind),
        listed: usize,
    ) -> Result<(), Error> {
        let text = text(fields, part_kind.key()).unwrap_or_default();
        self.recognize_part(location, text, |key, _| key.number as usize >= listed)
    }

    /// Makes a part that came under another number the one that is now told as a whole: it has the same text, and
    /// nothing came of the part under that number.
    fn recognize_part(
        &mut self,
        location: PartLocation,
        text: &str,
        may_be: impl Fn(&PartKey, &OutputPart) -> bool,
    ) -> Result<(), Error> {
        let PartLocation { position, part } = location;
        if text.is_empty() || self.part(location)?.text.bytes() > 0 || self.part(location)?.done {
            return Ok(());
        }
        let Some(OutputItem { body: ItemBody::Parts(parts), .. }) = self.items.get_mut(position) else { return Ok(()) };
        let is_same = |(key, other): &(&PartKey, &OutputPart)| {
            key.is_summary == part.is_summary && may_be(key, other) && other.text.is(text)
        };
        let Some((key, _)) = parts.parts.iter().find(is_same) else { return Ok(()) };
        let key = *key;
        if let Some(known) = parts.parts.remove(&key) {
            parts.parts.insert(part, known);
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.item == position && open.part == Some(key)) {
            open.part = Some(part);
        }
        Ok(())
    }

    fn append_text(&mut self, words: PartText, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let PartText { location, part_kind, text, logprobs } = words;
        if text.is_empty() && logprobs.is_empty() {
            return Ok(());
        }
        self.open_part(location.position, Some(location.part), events);
        events.push(match part_kind {
            ResponsesPartKind::Text => ProviderEvent::Text { text, logprobs },
            ResponsesPartKind::Refusal => ProviderEvent::Refusal { text },
            ResponsesPartKind::Reasoning => ProviderEvent::Reasoning { text },
            ResponsesPartKind::Summary => ProviderEvent::ReasoningSummary { part: location.part.number, text },
        });
        Ok(())
    }

    fn annotate(
        &mut self,
        location: PartLocation,
        annotation: JsonObject,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        self.part(location)?.annotations += 1;
        self.open_part(location.position, Some(location.part), events);
        events.push(ProviderEvent::Annotation { annotation });
        Ok(())
    }

    /// Opens a part. The protocol lets items alternate; for the port, an item that is continued after another one is a
    /// new item.
    fn open_part(&mut self, item: usize, part: Option<PartKey>, events: &mut Vec<ProviderEvent>) {
        let open = match self.open {
            Some(open) if open.item == item => open.part,
            Some(_) => {
                events.push(ProviderEvent::ItemFinished { extra: JsonObject::new() });
                None
            }
            None => None,
        };
        if part.is_some() && open.is_some() && open != part {
            events.push(ProviderEvent::ContentPartFinished);
        }
        self.open = Some(OpenPart { item, part: part.or(open) });
    }

    /// The item and the part that an event is about; an item that was not announced begins with it.
    fn part_of(&mut self, part_kind: ResponsesPartKind, event: &ResponsesEvent<'_>) -> Result<PartLocation, Error> {
        let is_reasoning = part_kind.is_reasoning();
        let fits =
            |item: &OutputItem| matches!(&item.body, ItemBody::Parts(parts) if parts.is_reasoning == is_reasoning);
        let position = match (self.find(event, fits), self.free_place(event), self.newest(fits)) {
            (Some(position), _, _) | (None, None, Some(position)) => position,
            (None, Some(place), _) => self.begin_with_parts(place, part_kind)?,
            (None, None, None) => self.begin_with_parts(self.last_place(), part_kind)?,
        };
        let is_summary = part_kind == ResponsesPartKind::Summary;
        let number = match event.place(part_kind.counter()) {
            Some(number) => number,
            None => self.latest_part(position, is_summary),
        };
        Ok(PartLocation { position, part: PartKey { is_summary, number } })
    }

    /// The part that an event without a number is about: the open one, or the last.
    fn latest_part(&self, position: usize, is_summary: bool) -> u32 {
        let open = self.open.filter(|open| open.item == position).and_then(|open| open.part);
        if let Some(part) = open.filter(|part| part.is_summary == is_summary) {
            return part.number;
        }
        let Some(OutputItem { body: ItemBody::Parts(parts), .. }) = self.items.get(position) else { return 0 };
        let numbers = parts.parts.keys().filter(|key| key.is_summary == is_summary).map(|key| key.number);
        numbers.max().unwrap_or_default()
    }

    fn part(&mut self, PartLocation { position, part }: PartLocation) -> Result<&mut OutputPart, Error> {
        let most = self.limits.items as usize;
        match self.items.get_mut(position) {
            Some(OutputItem { body: ItemBody::Parts(ItemParts { parts, .. }), .. }) => match parts.len() < most {
                false if !parts.contains_key(&part) => Err(TOO_MANY_ITEMS),
                _ => Ok(parts.entry(part).or_default()),
            },
            Some(_) | None => Err(broken("an event that does not fit its item")),
        }
    }
}

/// The parts of a whole item, with their numbers. A text in place of a part, or of all of them, is one.
fn take_parts<'a>(fields: &mut WrittenFields<'a>, key: &str) -> Vec<(u32, WrittenFields<'a>)> {
    let text = |part: Value| part.is_string().then(|| WrittenFields::made("text", part));
    let parts = match fields.take_entries(key, text) {
        Some(parts) => parts,
        None => vec![fields.get(key).cloned().and_then(text)],
    };
    (0..).zip(parts).filter_map(|(number, part)| Some((number, part?))).collect()
}

/// The kind of a part. One of a type that this server does not know is what its fields say, and one with a text is
/// `unnamed`; none if they say nothing.
fn part_kind_of(part: &ReadFields, unnamed: ResponsesPartKind) -> Option<ResponsesPartKind> {
    match text(part, "type") {
        Some("output_text") => Some(ResponsesPartKind::Text),
        Some("refusal") => Some(ResponsesPartKind::Refusal),
        Some("reasoning_text") => Some(ResponsesPartKind::Reasoning),
        Some("summary_text") => Some(ResponsesPartKind::Summary),
        _ if text(part, "refusal").is_some() => Some(ResponsesPartKind::Refusal),
        _ if text(part, "text").is_some() => Some(unnamed),
        _ => None,
    }
}
