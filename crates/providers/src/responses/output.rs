//! The provider's output so far: which items there are, and which of them is open.

use std::collections::BTreeMap;

use super::calls::CallProgress;
use super::event::{ItemEventKind, ResponsesEvent, ResponsesPartKind, broken, kind_of, text, word};
use super::parts::{ItemParts, OpenPart};
use crate::event_fields::WrittenFields;
use crate::limits::TOO_MANY_ITEMS;
use crate::made_call_ids::MadeCallIds;
use crate::seal::Origin;
use crate::{Error, ProviderEvent, UpstreamLimits};
use antiphon_domain::CallIndex;
use antiphon_protocol::Json;

/// The fields of an event that this server sets itself.
const OWN_FIELDS: [&str; 5] = ["type", "sequence_number", "item_id", "output_index", "obfuscation"];

/// The output so far.
pub(super) struct ResponsesOutput {
    pub(super) origin: Origin,
    pub(super) limits: UpstreamLimits,
    pub(super) items: Vec<OutputItem>,
    /// The message or reasoning item that is being written.
    pub(super) open: Option<OpenPart>,
    pub(super) calls: CallIndex,
    others: CallIndex,
    /// The ids of calls that have none.
    pub(super) ids: MadeCallIds,
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
    pub(super) fn new(origin: Origin, ids: MadeCallIds, limits: UpstreamLimits) -> Self {
        Self { origin, limits, items: Vec::new(), open: None, calls: 0, others: 0, ids }
    }

    /// Handles an event of a known type about an item. For an item of an unknown kind it has no known meaning and is
    /// passed on.
    pub(super) fn event(
        &mut self,
        about: ItemEventKind,
        event: ResponsesEvent<'_>,
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
    pub(super) fn report(&mut self, event: ResponsesEvent<'_>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let Some(OutputItem { body: ItemBody::Other(item), done: false, .. }) = self.subject(&event) else {
            return Ok(());
        };
        let (item, fields) = (*item, event.fields.written_without(&OWN_FIELDS));
        events.push(ProviderEvent::OtherItemEvent { item, event: event.name, fields });
        Ok(())
    }

    fn concerns_other(&self, event: &ResponsesEvent<'_>) -> bool {
        self.subject(event).is_some_and(|item| matches!(item.body, ItemBody::Other(_)))
    }

    /// The item that an event is about.
    pub(super) fn subject(&self, event: &ResponsesEvent<'_>) -> Option<&OutputItem> {
        self.find(event, |_| true).and_then(|position| self.items.get(position))
    }

    /// The newest item that fits and has the id of an event, or else its position: servers that do not count give all
    /// items the same one, and others give an item a new id with each event.
    pub(super) fn find(&self, event: &ResponsesEvent<'_>, fits: impl Fn(&OutputItem) -> bool) -> Option<usize> {
        let id = text(&event.fields, "item_id").filter(|id| !id.is_empty());
        let place = event.place("output_index");
        let by_id = |item: &OutputItem| id.is_some() && item.id.as_deref() == id && fits(item);
        let by_place = |item: &OutputItem| Some(item.place) == place && fits(item);
        self.items.iter().rposition(by_id).or_else(|| self.items.iter().rposition(by_place))
    }

    /// The item that fits and that an event of which neither id nor position is known must be about: the newest that has
    /// not ended.
    pub(super) fn newest(&self, fits: impl Fn(&OutputItem) -> bool) -> Option<usize> {
        self.items.iter().rposition(|item| !item.done && fits(item))
    }

    /// The position of an item that an event begins: the event's own, if no item has it.
    pub(super) fn free_place(&self, event: &ResponsesEvent<'_>) -> Option<u32> {
        event.place("output_index").filter(|place| self.items.iter().all(|item| item.place != *place))
    }

    /// The position after all others.
    pub(super) fn last_place(&self) -> u32 {
        self.items.iter().map(|item| item.place.saturating_add(1)).max().unwrap_or_default()
    }

    fn added(&mut self, mut event: ResponsesEvent<'_>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let fields = event.fields.take_object("item").unwrap_or_default();
        let Some(kind) = kind_of(&fields) else { return Ok(()) };
        let place = event.place("output_index");
        let at_place = |item: &OutputItem| Some(item.place) == place && item.kind == kind;
        if let Some(known) = self.newest(at_place).and_then(|position| self.items.get(position)) {
            match (text(&fields, "id"), known.id.as_deref()) {
                // The same again.
                (Some(id), Some(known)) if id == known => return Ok(()),
                (Some(_), Some(_)) => {}
                (None, _) | (_, None) => return Err(broken("two items at one place")),
            }
        }
        let place = place.unwrap_or_else(|| self.last_place());
        self.begin(place, &fields, events).map(|_| ())
    }

    fn done(&mut self, mut event: ResponsesEvent<'_>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let fields = event.fields.take_object("item").unwrap_or_default();
        if let Some(id) = fields.get("id") {
            event.fields.insert("item_id".to_owned(), id.clone());
        }
        let kind = kind_of(&fields).map(str::to_owned);
        let fits = |item: &OutputItem| kind.as_ref().is_none_or(|kind| item.kind == *kind);
        let known = self.find(&event, fits).or_else(|| {
            // Its position is not known, or an item of another kind has it.
            let is_lost = event.place("output_index").is_none() || self.free_place(&event).is_none();
            let is_unknown = |item: &OutputItem| item.id.is_none() || event.place("output_index").is_none();
            self.newest(|item| fits(item) && is_unknown(item)).filter(|_| is_lost)
        });
        let ended = known.and_then(|position| self.items.get(position)).filter(|item| item.done);
        let position = match (known, ended.map(|item| item.id.as_deref())) {
            (Some(position), None) => position,
            (Some(_), Some(id)) if id.is_none() || id == text(&fields, "id") => {
                // The same again, if the provider names its items.
                return if id.is_some() { Ok(()) } else { Err(broken("an item ended twice")) };
            }
            (Some(_), Some(_)) | (None, _) if kind.is_none() => return Ok(()),
            (Some(_), Some(_)) | (None, _) => {
                let place = event.place("output_index").unwrap_or_else(|| self.last_place());
                self.begin(place, &fields, events)?
            }
        };
        self.finish(position, fields, events)
    }

    /// Adds a new item, with what is known of it so far.
    pub(super) fn begin(
        &mut self,
        place: u32,
        fields: &WrittenFields<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<usize, Error> {
        let kind = kind_of(fields).ok_or_else(|| broken("an item that is none"))?;
        self.check_room()?;
        let body = match kind {
            "message" => ItemBody::Parts(ItemParts::message()),
            "reasoning" => ItemBody::Parts(ItemParts::reasoning()),
            "function_call" => ItemBody::Call(self.start_call(fields, events)?),
            _ => ItemBody::Other(self.start_other(fields, events)),
        };
        let id = word(fields, "id", self.limits.id_bytes);
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
        if self.items.len() < self.limits.items as usize { Ok(()) } else { Err(TOO_MANY_ITEMS) }
    }

    fn add(&mut self, item: OutputItem) -> usize {
        self.items.push(item);
        self.items.len() - 1
    }

    /// Completes an item.
    pub(super) fn finish(
        &mut self,
        position: usize,
        fields: WrittenFields<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let Some(item) = self.items.get_mut(position) else { return Ok(()) };
        item.done = true;
        item.id = word(&fields, "id", self.limits.id_bytes).or(item.id.take());
        match item.body {
            ItemBody::Parts(ref parts) if parts.is_reasoning => self.finish_reasoning(position, fields, events),
            ItemBody::Parts(_) => self.finish_message(position, fields, events),
            ItemBody::Call(_) => self.finish_call(position, fields, events),
            ItemBody::Other(item) => {
                events.push(ProviderEvent::OtherItemFinished {
                    item,
                    fields: self.origin.mark(fields.written_without(&[])),
                });
                Ok(())
            }
        }
    }

    fn start_other(&mut self, fields: &WrittenFields<'_>, events: &mut Vec<ProviderEvent>) -> CallIndex {
        let item = self.others;
        self.others += 1;
        // The open item ends where another one begins.
        self.open = None;
        // The type that was read: halves of characters in it are mended.
        let kind = kind_of(fields).map(|kind| ("type".to_owned(), Json::from(kind)));
        let written = kind.into_iter().chain(fields.written_without(&["type"]).iter()).collect();
        events.push(ProviderEvent::OtherItemStarted { item, fields: self.origin.mark(written) });
        item
    }

    /// Finds which items of the final output have come before: by id, or by the order of each type where ids change.
    /// Positions by the final output's own order; none for an item that never came.
    pub(super) fn recognize(&self, output: &[WrittenFields<'_>]) -> Vec<Option<usize>> {
        let mut by_kind: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let same_id = |fields: &WrittenFields<'_>| {
            let id = text(fields, "id")?;
            let kind = kind_of(fields)?;
            self.items.iter().position(|item| item.id.as_deref() == Some(id) && item.kind == kind)
        };
        let mut found: Vec<Option<usize>> = output.iter().map(same_id).collect();
        for (position, item) in self.items.iter().enumerate().filter(|(position, _)| !found.contains(&Some(*position)))
        {
            by_kind.entry(&item.kind).or_default().push(position);
        }
        for (fields, found) in output.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let left = kind_of(fields).and_then(|kind| by_kind.get_mut(kind));
            *found = left.filter(|left| !left.is_empty()).map(|left| left.remove(0));
        }
        found
    }
}
