//! Function calls.

use serde_json::Value;

use super::event::{ResponsesEvent, broken, word};
use super::output::{ItemBody, OutputItem, ResponsesOutput};
use super::parts::rest_unless_cut;
use crate::{Error, ProviderEvent};
use antiphon_domain::CallIndex;
use antiphon_protocol::Extra;

/// Fields of a function call that other events hold, or that this server sets itself.
const OF_CALLS: [&str; 6] = ["id", "type", "call_id", "name", "arguments", "status"];

/// The most function calls of one response.
const MOST_CALLS: CallIndex = 128;

/// The most bytes of the arguments of a call.
const MOST_ARGUMENTS: usize = 256 << 10;

/// What came of a function call so far.
#[derive(Default)]
pub(super) struct CallProgress {
    /// None until the function is known.
    pub(super) index: Option<CallIndex>,
    /// The bytes of its arguments so far.
    bytes: usize,
}

impl ResponsesOutput {
    /// Starts a call if its function is known: some servers name it only at the end of the call.
    pub(super) fn start_call(
        &mut self,
        fields: &Extra,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<CallProgress, Error> {
        let (Some(call_id), Some(name)) = (word(fields, "call_id")?, word(fields, "name")?) else {
            return Ok(CallProgress::default());
        };
        let call = self.calls;
        if call >= MOST_CALLS {
            return Err(broken("too many function calls"));
        }
        self.calls += 1;
        // The open part ends where a call begins.
        self.open = None;
        events.push(ProviderEvent::FunctionCallStarted { call, call_id, name });
        Ok(CallProgress { index: Some(call), bytes: 0 })
    }

    /// Passes a piece of arguments on. Those of a call whose function is not known yet come with its end.
    pub(super) fn arguments(
        &mut self,
        mut event: ResponsesEvent,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let position = self.call_of(&event)?;
        if self.items.get(position).is_some_and(|item| item.done) {
            return Err(broken("an item goes on after its end"));
        }
        self.append_arguments(position, event.take_text("delta")?, events)
    }

    /// Passes the whole of the arguments on, if their pieces did not come.
    pub(super) fn whole_arguments(
        &mut self,
        mut event: ResponsesEvent,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let position = self.call_of(&event)?;
        let arguments = event.take_text("arguments")?;
        self.append_missing_arguments(position, arguments, events)
    }

    pub(super) fn finish_call(
        &mut self,
        position: usize,
        mut fields: Extra,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        if self.call(position)?.index.is_none() {
            let call = self.start_call(&fields, events)?;
            *self.call(position)? = call;
        }
        let Some(call) = self.call(position)?.index else {
            return Err(broken("a function call without a name or an id"));
        };
        match fields.shift_remove("arguments") {
            Some(Value::String(arguments)) => self.append_missing_arguments(position, arguments, events)?,
            Some(Value::Null) | None => {}
            Some(_) => return Err(broken("arguments that are no text")),
        }
        // A call that was cut stays open; the response's ending decides about it.
        let extra = rest_unless_cut(fields, &OF_CALLS);
        let extra = extra.map(|extra| self.origin.mark(extra));
        events.extend(extra.map(|extra| ProviderEvent::FunctionCallFinished { call, extra }));
        Ok(())
    }

    fn append_missing_arguments(
        &mut self,
        position: usize,
        arguments: String,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        if self.call(position)?.bytes > 0 { Ok(()) } else { self.append_arguments(position, arguments, events) }
    }

    fn append_arguments(
        &mut self,
        position: usize,
        text: String,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let CallProgress { index: Some(call), bytes } = self.call(position)? else { return Ok(()) };
        *bytes += text.len();
        if *bytes > MOST_ARGUMENTS {
            return Err(broken("arguments that are too long"));
        }
        if !text.is_empty() {
            events.push(ProviderEvent::FunctionCallArguments { call: *call, text });
        }
        Ok(())
    }

    fn call_of(&mut self, event: &ResponsesEvent) -> Result<usize, Error> {
        let place = event.place("output_index")?;
        let position = match self.at(place) {
            Some(position) => position,
            None => self.begin_call(place)?,
        };
        self.call(position).map(|_| position)
    }

    fn call(&mut self, position: usize) -> Result<&mut CallProgress, Error> {
        match self.items.get_mut(position) {
            Some(OutputItem { body: ItemBody::Call(call), .. }) => Ok(call),
            Some(_) | None => Err(broken("an event that does not fit its item")),
        }
    }
}
