//! From the events of an answer to those of the port: pure, synchronous.

use super::ending::ResponsesOutcome;
use super::event::{EventKind, ResponsesEvent, broken, text, type_of, word};
use super::output::ResponsesOutput;
use crate::http::{Decode, Flow, SseFrame};
use crate::seal::{Origin, Protocol};
use crate::{Error, ProviderEvent, ProviderRequest};
use antiphon_protocol::Extra;

/// Decodes one answer.
pub(super) struct ResponsesDecoder {
    opened: bool,
    finished: bool,
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
        let data = frame.data.trim();
        let parsed = ResponsesEvent::parse(frame.event.as_deref(), data);
        if frame.event.as_deref() == Some("error") {
            return Err(Error::Reported(parsed.map(ResponsesEvent::report).unwrap_or_default()));
        }
        match parsed {
            Some(event) if event.is_error() => Err(Error::Reported(event.report())),
            Some(event) => self.event(event, events),
            None if data.is_empty() => Ok(Flow::Open),
            None if data == "[DONE]" => Err(broken("an end mark without an ending")),
            None if frame.whole => Err(broken("an event has not the form of one")),
            // The connection ended within it.
            None => Ok(Flow::Open),
        }
    }
}

impl ResponsesDecoder {
    /// Makes the decoder of the answer to that request.
    pub(super) fn new(asked: &ProviderRequest) -> Self {
        let output = ResponsesOutput::new(Origin::of(Protocol::Responses, &asked.target));
        Self { opened: false, finished: false, output }
    }

    fn event(&mut self, mut event: ResponsesEvent, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        type_of(Some(&event.name))?;
        match EventKind::of(&event.name) {
            EventKind::Lifecycle => self.open(event.take_object("response").as_ref(), events).map(|()| Flow::Open),
            EventKind::Ended => {
                let response = event.take_object("response").unwrap_or_default();
                self.open(Some(&response), events)?;
                let reason = ResponsesOutcome::of(&event.name, text(&response, "status")).end(
                    &mut self.output,
                    response,
                    events,
                )?;
                events.push(ProviderEvent::Finished(reason));
                self.finished = true;
                Ok(Flow::Done)
            }
            EventKind::Unknown => self.output.report(event, events).map(|()| Flow::Open),
            EventKind::Item(about) => {
                self.open(None, events)?;
                self.output.event(about, event, events).map(|()| Flow::Open)
            }
        }
    }

    /// The first event reports that the provider answers, with its id of the response if the provider sends that at
    /// once.
    fn open(&mut self, response: Option<&Extra>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if !self.opened {
            let provider_response_id = response.map(|response| word(response, "id")).transpose()?.flatten();
            self.opened = true;
            events.push(ProviderEvent::Opened { provider_response_id });
        }
        Ok(())
    }
}
