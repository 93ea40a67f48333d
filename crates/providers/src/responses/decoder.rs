//! From the events of an answer to those of the port: pure, synchronous.

use super::ending::ResponsesOutcome;
use super::event::{EventKind, ResponsesEvent, broken, text, without_echoes, word};
use super::output::ResponsesOutput;
use crate::event_fields::{EventFields, WrittenFields};
use crate::finish::check_empty;
use crate::http::{Decode, Flow, SseFrame};
use crate::made_call_ids::MadeCallIds;
use crate::seal::{Origin, Protocol};
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};

/// Decodes one answer.
pub(super) struct ResponsesDecoder {
    opened: bool,
    finished: bool,
    has_output: bool,
    output: ResponsesOutput,
}

impl Decode for ResponsesDecoder {
    fn finished(&self) -> bool {
        self.finished
    }

    fn opens(&self) -> bool {
        true
    }

    fn frame(&mut self, frame: SseFrame, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let (data, line, before) = (frame.data.trim(), frame.event.as_deref(), events.len());
        let (short, most_values) = (without_echoes(line, data), self.output.limits.event_values);
        let parsed = ResponsesEvent::parse(line, short.as_deref().unwrap_or(data), most_values);
        if line == Some("error") {
            return Err(Error::Reported(parsed.map(ResponsesEvent::report).unwrap_or_default()));
        }
        let flow = match parsed {
            Some(event) if event.is_error() => Err(Error::Reported(event.report())),
            Some(event) if event.is_response() => self.whole(event.fields, events),
            Some(event) => self.event(event, events),
            None if data.is_empty() => Ok(Flow::Open),
            None if data == "[DONE]" => Err(broken("an end mark without an ending")),
            None if frame.whole => Err(EventFields::fault(data, most_values)),
            // The connection ended within it.
            None => Ok(Flow::Open),
        };
        self.has_output |= events.iter().skip(before).any(|event| event.output_bytes() > 0);
        flow
    }
}

impl ResponsesDecoder {
    /// Makes the decoder of the answer to that request.
    pub(super) fn new(asked: &ProviderRequest, limits: UpstreamLimits) -> Self {
        let origin = Origin::of(Protocol::Responses, &asked.target);
        let output = ResponsesOutput::new(origin, MadeCallIds::of(asked), limits);
        Self { opened: false, finished: false, has_output: false, output }
    }

    fn event(&mut self, mut event: ResponsesEvent<'_>, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        if event.name.is_empty() {
            return Err(broken("an event without a type"));
        }
        match EventKind::of(&event.name) {
            EventKind::Lifecycle => self.open(event.fields.take_object("response").as_ref(), events),
            EventKind::Ended => {
                let response = event.fields.take_object("response").unwrap_or(event.fields);
                let outcome = ResponsesOutcome::of(&event.name, &response);
                return self.finish(outcome, response, events);
            }
            EventKind::Unknown => self.output.report(event, events)?,
            EventKind::Item(about) => {
                self.open(None, events);
                self.output.event(about, event, events)?;
            }
        }
        Ok(Flow::Open)
    }

    /// Reads an answer that comes as one response.
    fn whole(&mut self, response: WrittenFields<'_>, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        match text(&response, "status").map(str::to_ascii_lowercase).as_deref() {
            Some("queued" | "in_progress") => {
                self.open(Some(&response), events);
                Ok(Flow::Open)
            }
            Some("completed" | "incomplete" | "failed" | "cancelled" | "canceled") => {
                let outcome = ResponsesOutcome::of("", &response);
                self.finish(outcome, response, events)
            }
            Some(_) | None => Err(broken("a response that does not say how it ended")),
        }
    }

    fn finish(
        &mut self,
        outcome: ResponsesOutcome,
        response: WrittenFields<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<Flow, Error> {
        self.open(Some(&response), events);
        let (is_known_form, before) = (self.output.is_known_form(&response), events.len());
        let (reason, usage) = outcome.end(&mut self.output, response, events)?;
        if !self.has_output && events.iter().skip(before).all(|event| event.output_bytes() == 0) {
            check_empty(&reason, usage, is_known_form)?;
        }
        events.push(ProviderEvent::Finished(reason));
        self.finished = true;
        Ok(Flow::Done)
    }

    /// The first event reports that the provider answers, with its id of the response if the provider sends that at
    /// once.
    fn open(&mut self, response: Option<&WrittenFields<'_>>, events: &mut Vec<ProviderEvent>) {
        if !self.opened {
            let provider_response_id = response.and_then(|response| word(response, "id", self.output.limits.id_bytes));
            self.opened = true;
            events.push(ProviderEvent::Opened { provider_response_id });
        }
    }
}
