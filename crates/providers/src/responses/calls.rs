//! Function calls.

use serde_json::Value;
use serde_json::value::RawValue;

use super::event::{ResponsesEvent, broken, rest_unless_cut, text, word};
use super::output::{ItemBody, OutputItem, ResponsesOutput};
use crate::event_fields::{ReadFields, WrittenFields};
use crate::limits::{ARGUMENTS_TOO_LONG, NAME_TOO_LONG, TOO_MANY_CALLS};
use crate::said_text::SaidText;
use crate::{Error, ProviderEvent};
use antiphon_domain::CallIndex;

/// Fields of a function call that other events hold, or that this server sets itself.
const OF_CALLS: [&str; 6] = ["id", "type", "call_id", "name", "arguments", "status"];

/// What came of a function call so far.
#[derive(Default)]
pub(super) struct CallProgress {
    /// None until the function is known.
    pub(super) index: Option<CallIndex>,
    /// Its arguments so far.
    text: SaidText,
    /// What came of them before the call could start.
    held: String,
    /// The function, where the call has no id yet.
    name: Option<String>,
}

impl ResponsesOutput {
    /// Starts a call if its function is known: some servers name it only at the end of the call.
    pub(super) fn start_call(
        &mut self,
        fields: &ReadFields,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<CallProgress, Error> {
        let (call_id, name) = (word(fields, "call_id", self.limits.id_bytes), self.name_of(fields)?);
        let (Some(call_id), Some(name)) = (call_id, name.clone()) else {
            return Ok(CallProgress { name, ..CallProgress::default() });
        };
        let index = self.announce_call(call_id, name, events)?;
        Ok(CallProgress { index: Some(index), ..CallProgress::default() })
    }

    /// The name of the function that is called; none where it is missing or not a word.
    fn name_of(&self, fields: &ReadFields) -> Result<Option<String>, Error> {
        let most = self.limits.name_bytes;
        match text(fields, "name") {
            Some(name) if name.len() > most => Err(NAME_TOO_LONG),
            Some(_) | None => Ok(word(fields, "name", most)),
        }
    }

    fn announce_call(
        &mut self,
        call_id: String,
        name: String,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<CallIndex, Error> {
        let call = self.calls;
        if call >= self.limits.calls {
            return Err(TOO_MANY_CALLS);
        }
        self.calls += 1;
        // The open part ends where a call begins.
        self.open = None;
        events.push(ProviderEvent::FunctionCallStarted { call, call_id, name });
        Ok(call)
    }

    /// Passes a piece of arguments on. Those of a call whose function is not known yet are held back.
    pub(super) fn arguments(
        &mut self,
        mut event: ResponsesEvent<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let position = self.call_of(&event)?;
        if self.items.get(position).is_some_and(|item| item.done) {
            return Err(broken("an item goes on after its end"));
        }
        let piece = event.take_delta()?;
        let text = self.call(position)?.text.join(piece);
        self.append_arguments(position, text, events)
    }

    /// Passes on what of the arguments did not come in pieces.
    pub(super) fn whole_arguments(
        &mut self,
        mut event: ResponsesEvent<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let Some(arguments) = event.take_text("arguments") else { return Ok(()) };
        let position = self.call_of(&event)?;
        self.append_missing_arguments(position, &arguments, events)
    }

    pub(super) fn finish_call(
        &mut self,
        position: usize,
        mut fields: WrittenFields<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        self.name_call(position, &fields, events)?;
        let Some(call) = self.call(position)?.index else {
            return Err(broken("a function call without a name"));
        };
        let said = self.call(position)?.text.bytes();
        let written = fields.written("arguments").map(RawValue::get).unwrap_or_default();
        match fields.shift_remove("arguments") {
            Some(Value::String(arguments)) => self.append_missing_arguments(position, &arguments, events)?,
            // Some servers write the arguments as an object.
            Some(Value::Object(_)) if said == 0 => self.append_missing_arguments(position, written, events)?,
            Some(_) | None => self.append_missing_arguments(position, "", events)?,
        }
        // A call that was cut stays open; the response's ending decides about it.
        let extra = rest_unless_cut(&fields, &OF_CALLS);
        let extra = extra.map(|extra| self.origin.mark(extra));
        events.extend(extra.map(|extra| ProviderEvent::FunctionCallFinished { call, extra }));
        Ok(())
    }

    /// Starts a call whose function was not known before its end. One without an id gets that of its item, or one that is
    /// made.
    fn name_call(
        &mut self,
        position: usize,
        fields: &ReadFields,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        if self.call(position)?.index.is_some() {
            return Ok(());
        }
        let most = self.limits.id_bytes;
        let Some(name) = self.name_of(fields)?.or_else(|| self.call(position).ok()?.name.take()) else {
            return Ok(());
        };
        let known_id = self.items.get(position).and_then(|item| item.id.clone());
        let call_id = word(fields, "call_id", most).or_else(|| word(fields, "id", most)).or(known_id);
        let call_id = call_id.unwrap_or_else(|| self.ids.make(self.calls));
        let index = self.announce_call(call_id, name, events)?;
        let progress = self.call(position)?;
        progress.index = Some(index);
        let held = std::mem::take(&mut progress.held);
        if !held.is_empty() {
            events.push(ProviderEvent::FunctionCallArguments { call: index, text: held });
        }
        Ok(())
    }

    /// Starts the calls that have waited for an id and get none.
    pub(super) fn name_calls(&mut self, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        for position in 0..self.items.len() {
            if matches!(self.items.get(position), Some(OutputItem { body: ItemBody::Call(_), .. })) {
                self.name_call(position, &ReadFields::new(), events)?;
            }
        }
        Ok(())
    }

    fn append_missing_arguments(
        &mut self,
        position: usize,
        arguments: &str,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let text = self.call(position)?.text.complete(arguments);
        self.append_arguments(position, text, events)
    }

    fn append_arguments(
        &mut self,
        position: usize,
        text: String,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let most = self.limits.output_bytes;
        let progress = self.call(position)?;
        if progress.text.bytes() > most {
            return Err(ARGUMENTS_TOO_LONG);
        }
        match progress.index {
            Some(call) if !text.is_empty() => events.push(ProviderEvent::FunctionCallArguments { call, text }),
            Some(_) => {}
            None => progress.held.push_str(&text),
        }
        Ok(())
    }

    fn call_of(&mut self, event: &ResponsesEvent<'_>) -> Result<usize, Error> {
        let fits = |item: &OutputItem| matches!(item.body, ItemBody::Call(_));
        match (self.find(event, fits), self.free_place(event), self.newest(fits)) {
            (Some(position), _, _) | (None, None, Some(position)) => Ok(position),
            (None, Some(place), _) => self.begin_call(place),
            (None, None, None) => self.begin_call(self.last_place()),
        }
    }

    fn call(&mut self, position: usize) -> Result<&mut CallProgress, Error> {
        match self.items.get_mut(position) {
            Some(OutputItem { body: ItemBody::Call(call), .. }) => Ok(call),
            Some(_) | None => Err(broken("an event that does not fit its item")),
        }
    }
}
