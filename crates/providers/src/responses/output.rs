//! The provider's output so far: which items there are, and which of them is open.

use std::collections::BTreeMap;

use super::calls::CallProgress;
use super::event::{
    ItemEventKind, MOST_PLACES, ResponsesEvent, ResponsesPartKind, bounded, broken, rest, text, type_of,
};
use super::parts::{ItemParts, OpenPart};
use crate::seal::Origin;
use crate::{Error, ProviderEvent};
use antiphon_domain::CallIndex;
use antiphon_protocol::Extra;

/// The fields of an event that this server sets itself.
const OWN_FIELDS: [&str; 4] = ["type", "sequence_number", "item_id", "output_index"];

/// The longest id of an item that is kept, in bytes.
const LONGEST_ID: usize = 512;

/// The output so far.
pub(super) struct ResponsesOutput {
    pub(super) origin: Origin,
    pub(super) items: Vec<OutputItem>,
    /// The message or reasoning item that is being written.
    pub(super) open: Option<OpenPart>,
    pub(super) calls: CallIndex,
    others: CallIndex,
}

/// One item of the output.
pub(super) struct OutputItem {
    /// The position that the provider gave.
    place: u32,
    pub(super) id: Option<String>,
    pub(super) kind: String,
    pub(super) body: ItemBody,
    pub(super) done: bool,
}

/// The state of an item, by its kind.
pub(super) enum ItemBody {
    Parts(ItemParts),
    Call(CallProgress),
    Other(CallIndex),
}

impl ResponsesOutput {
    /// The output of an answer from there, which is empty yet.
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, items: Vec::new(), open: None, calls: 0, others: 0 }
    }

    /// Handles an event of a known type about an item. For an item of an unknown kind it has no known meaning and is
    /// passed on.
    pub(super) fn event(
        &mut self,
        about: ItemEventKind,
        event: ResponsesEvent,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        match about {
            ItemEventKind::Added => self.added(event, events),
            ItemEventKind::Done => self.done(event, events),
            _ if self.concerns_other(&event) => self.report(event, events),
            ItemEventKind::Delta(part_kind) => self.delta(part_kind, event, events),
            ItemEventKind::Whole(part_kind) => self.whole(part_kind, event, events),
            ItemEventKind::PartAdded => Ok(()),
            ItemEventKind::PartDone => self.part_done(event, events),
            ItemEventKind::SummaryPartDone => self.summary_part_done(event, events),
            ItemEventKind::Annotation => self.annotation(event, events),
            ItemEventKind::Arguments => self.arguments(event, events),
            ItemEventKind::WholeArguments => self.whole_arguments(event, events),
        }
    }

    /// Passes on an event about an item of an unknown kind, and ignores any other.
    pub(super) fn report(&mut self, mut event: ResponsesEvent, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let Some(OutputItem { body: ItemBody::Other(item), done: false, .. }) = self.subject(&event) else {
            return Ok(());
        };
        let (item, fields) = (*item, rest(std::mem::take(&mut event.fields), &OWN_FIELDS));
        events.push(ProviderEvent::OtherItemEvent { item, event: event.name, fields });
        Ok(())
    }

    fn concerns_other(&self, event: &ResponsesEvent) -> bool {
        self.subject(event).is_some_and(|item| matches!(item.body, ItemBody::Other(_)))
    }

    /// The item that an event is about.
    fn subject(&self, event: &ResponsesEvent) -> Option<&OutputItem> {
        let by_id = || {
            let id = text(&event.fields, "item_id")?;
            self.items.iter().rfind(|item| item.id.as_deref() == Some(id))
        };
        match event.place("output_index") {
            Ok(place) => self.at(place).and_then(|position| self.items.get(position)),
            Err(_) => by_id(),
        }
    }

    /// The newest item at a position: servers that do not count give all items the same one.
    pub(super) fn at(&self, place: u32) -> Option<usize> {
        self.items.iter().rposition(|item| item.place == place)
    }

    fn added(&mut self, mut event: ResponsesEvent, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let place = event.place("output_index")?;
        let fields = event.take_object("item").ok_or_else(|| broken("an item that is none"))?;
        let open = self.at(place).and_then(|position| self.items.get(position)).is_some_and(|item| !item.done);
        if open {
            return Err(broken("two items at one place"));
        }
        self.begin(place, &fields, events).map(|_| ())
    }

    fn done(&mut self, mut event: ResponsesEvent, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let place = event.place("output_index")?;
        let fields = event.take_object("item").ok_or_else(|| broken("an item that is none"))?;
        let position = match self.at(place) {
            Some(position) => position,
            None => self.begin(place, &fields, events)?,
        };
        self.finish(position, fields, events)
    }

    /// Adds a new item, with what is known of it so far.
    pub(super) fn begin(
        &mut self,
        place: u32,
        fields: &Extra,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<usize, Error> {
        let kind = type_of(text(fields, "type"))?;
        self.check_room()?;
        let body = match kind {
            "message" => ItemBody::Parts(ItemParts::message()),
            "reasoning" => ItemBody::Parts(ItemParts::reasoning()),
            "function_call" => ItemBody::Call(self.start_call(fields, events)?),
            _ => ItemBody::Other(self.start_other(fields.clone(), events)),
        };
        let id = text(fields, "id").filter(|id| id.len() <= LONGEST_ID).map(str::to_owned);
        Ok(self.add(OutputItem { place, id, kind: kind.to_owned(), body, done: false }))
    }

    /// Begins a message or reasoning item whose beginning was not announced.
    pub(super) fn begin_with_parts(&mut self, place: u32, part_kind: ResponsesPartKind) -> Result<usize, Error> {
        let (kind, parts) = match part_kind.is_reasoning() {
            true => ("reasoning", ItemParts::reasoning()),
            false => ("message", ItemParts::message()),
        };
        self.check_room()?;
        Ok(self.add(OutputItem { place, id: None, kind: kind.to_owned(), body: ItemBody::Parts(parts), done: false }))
    }

    /// Begins a function call whose beginning was not announced; its end has the function.
    pub(super) fn begin_call(&mut self, place: u32) -> Result<usize, Error> {
        let (kind, body) = ("function_call".to_owned(), ItemBody::Call(CallProgress::default()));
        self.check_room()?;
        Ok(self.add(OutputItem { place, id: None, kind, body, done: false }))
    }

    fn check_room(&self) -> Result<(), Error> {
        if self.items.len() < MOST_PLACES { Ok(()) } else { Err(broken("too many items")) }
    }

    fn add(&mut self, item: OutputItem) -> usize {
        self.items.push(item);
        self.items.len() - 1
    }

    /// Begins an item at the position after all others.
    pub(super) fn begin_last(&mut self, fields: &Extra, events: &mut Vec<ProviderEvent>) -> Result<usize, Error> {
        let after = self.items.iter().map(|item| u64::from(item.place) + 1).max().unwrap_or_default();
        self.begin(bounded(after)?, fields, events)
    }

    /// Completes an item.
    pub(super) fn finish(
        &mut self,
        position: usize,
        fields: Extra,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let Some(item) = self.items.get_mut(position) else { return Ok(()) };
        if item.done {
            return Err(broken("an item ended twice"));
        }
        if text(&fields, "type") != Some(item.kind.as_str()) {
            return Err(broken("an item changed its type"));
        }
        item.done = true;
        match item.body {
            ItemBody::Parts(ref parts) if parts.is_reasoning => self.finish_reasoning(position, fields, events),
            ItemBody::Parts(_) => self.finish_message(position, fields, events),
            ItemBody::Call(_) => self.finish_call(position, fields, events),
            ItemBody::Other(item) => {
                events.push(ProviderEvent::OtherItemFinished { item, fields });
                Ok(())
            }
        }
    }

    fn start_other(&mut self, fields: Extra, events: &mut Vec<ProviderEvent>) -> CallIndex {
        let item = self.others;
        self.others += 1;
        // The open item ends where another one begins.
        self.open = None;
        events.push(ProviderEvent::OtherItemStarted { item, fields });
        item
    }

    /// Finds which items of the final output have come before: by id, or by the order of each type where ids change.
    /// Positions by the final output's own order; none for an item that never came.
    pub(super) fn recognize(&self, output: &[Extra]) -> Vec<Option<usize>> {
        let mut by_kind: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let same_id = |fields: &Extra| {
            let id = text(fields, "id")?;
            let kind = text(fields, "type")?;
            self.items.iter().position(|item| item.id.as_deref() == Some(id) && item.kind == kind)
        };
        let mut found: Vec<Option<usize>> = output.iter().map(same_id).collect();
        for (position, item) in self.items.iter().enumerate().filter(|(position, _)| !found.contains(&Some(*position)))
        {
            by_kind.entry(&item.kind).or_default().push(position);
        }
        for (fields, found) in output.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let left = text(fields, "type").and_then(|kind| by_kind.get_mut(kind));
            *found = left.filter(|left| !left.is_empty()).map(|left| left.remove(0));
        }
        found
    }
}
