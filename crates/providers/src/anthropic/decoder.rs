//! From the events of an answer to the events of the port: pure, synchronous.

use serde_json::Value;

use super::block::is_word;
use super::blocks::AnthropicBlocks;
use super::event::{AnthropicEvent, MessageChange, TokenCounts, take_text};
use crate::event_fields::EventFields;
use crate::finish::{check_empty, finish_reason};
use crate::http::{Decode, Flow, SseFrame};
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};
use antiphon_domain::FinishReason;
use antiphon_protocol::{Extra, Usage};

/// Decodes one answer.
pub(super) struct AnthropicDecoder {
    started: bool,
    blocks: AnthropicBlocks,
    limits: UpstreamLimits,
    has_output: bool,
    reason: Option<FinishReason>,
    /// Whether there was output after the reason: only an end mark, or the end of the bytes, ends such an answer.
    goes_on: bool,
    counts: TokenCounts,
    usage: Option<Usage>,
}

impl Decode for AnthropicDecoder {
    fn finished(&self) -> bool {
        self.reason.is_some() && !(self.goes_on && self.blocks.are_open())
    }

    fn is_over(&self) -> bool {
        self.reason.is_some() && !self.goes_on && !self.blocks.are_open()
    }

    fn opens(&self) -> bool {
        true
    }

    fn frame(&mut self, frame: SseFrame, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let (data, line, before) = (frame.data.trim(), frame.event.as_deref(), events.len());
        let event = match AnthropicEvent::plain_delta(data) {
            Some(event) => Some(event),
            None => EventFields::parse(data).map(|event| AnthropicEvent::of(line, event)).transpose()?,
        };
        let flow = match event {
            Some(event) => self.event(event, events),
            None if line == Some("error") => Err(Error::Reported(Default::default())),
            // The end mark of Chat Completions, which gateways add.
            None if data == "[DONE]" => self.complete(events),
            None if frame.whole && !data.is_empty() => {
                Err(Error::Protocol { what: "an event has not the form of one" })
            }
            // Nothing, or the connection ended within it.
            None => Ok(Flow::Open),
        };
        self.has_output |= events.iter().skip(before).any(|event| event.output_bytes() > 0);
        flow
    }

    fn end(&mut self, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        self.complete(events).map(|_| ())
    }
}

impl AnthropicDecoder {
    /// Makes the decoder of the answer to that request.
    pub(super) fn new(asked: &ProviderRequest, limits: UpstreamLimits) -> Self {
        Self {
            started: false,
            blocks: AnthropicBlocks::new(asked, limits),
            limits,
            has_output: false,
            reason: None,
            goes_on: false,
            counts: TokenCounts::default(),
            usage: None,
        }
    }

    fn event(&mut self, event: AnthropicEvent, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        match event {
            AnthropicEvent::Other => {}
            AnthropicEvent::Error(report) => return Err(Error::Reported(report)),
            AnthropicEvent::Message(message) => self.whole(message, events)?,
            AnthropicEvent::MessageStart(message) => self.begin(message, events)?,
            AnthropicEvent::BlockStart { index, block } => {
                self.check_begun()?;
                self.goes_on |= self.reason.is_some();
                self.blocks.start(index, block, events)?;
            }
            AnthropicEvent::BlockDelta { index, delta } => {
                self.check_begun()?;
                self.goes_on |= self.reason.is_some();
                self.blocks.delta(index, delta, events)?;
            }
            AnthropicEvent::BlockStop { index } => {
                self.check_begun()?;
                self.blocks.stop(index, events);
            }
            AnthropicEvent::MessageDelta(change) => {
                self.check_begun()?;
                self.change(change, events)?;
            }
            AnthropicEvent::MessageStop => return self.complete(events),
        }
        Ok(Flow::Open)
    }

    fn begin(&mut self, mut message: Extra, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if self.started {
            return Err(Error::Protocol { what: "a second message in one answer" });
        }
        self.started = true;
        let provider_response_id = Some(take_text(&mut message, "id")).filter(|id| is_word(id, self.limits.id_bytes));
        events.push(ProviderEvent::Opened { provider_response_id });
        // Its count of the output is not final.
        self.counts = message.get("usage").map(TokenCounts::of).unwrap_or_default();
        events.extend(self.counts.input_usage().map(ProviderEvent::InputUsage));
        Ok(())
    }

    /// Reads an answer that comes as one message.
    fn whole(&mut self, mut message: Extra, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let usage = message.get("usage").cloned();
        let change = MessageChange::of(&mut message, usage.as_ref());
        let content = message.shift_remove("content");
        self.begin(message, events)?;
        match content {
            Some(Value::String(text)) => {
                let block = Extra::from_iter([("type".to_owned(), "text".into()), ("text".to_owned(), text.into())]);
                self.blocks.start(None, block, events)?;
            }
            Some(Value::Array(blocks)) => {
                for block in blocks {
                    if let Value::Object(block) = block {
                        self.blocks.start(None, block, events)?;
                        self.blocks.stop(None, events);
                    }
                }
            }
            _ => {}
        }
        self.change(change, events)
    }

    fn check_begun(&self) -> Result<(), Error> {
        if self.started { Ok(()) } else { Err(Error::Protocol { what: "output before the message began" }) }
    }

    fn change(&mut self, change: MessageChange, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let MessageChange { stop_reason, counts } = change;
        self.counts = counts.unwrap_or_default().after(self.counts);
        if counts.is_some()
            && let Some(usage) = self.counts.usage().filter(|usage| self.usage != Some(*usage))
        {
            self.usage = Some(usage);
            events.push(ProviderEvent::Usage(usage));
        }
        let reason = stop_reason.filter(|_| self.reason.is_none()).and_then(|word| finish_reason(&word));
        if let Some(reason) = reason.transpose()? {
            self.reason = Some(reason);
        }
        Ok(())
    }

    /// Ends the answer. What came behind the reason to finish was a part of it.
    fn complete(&mut self, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let Some(reason) = self.reason.take() else {
            return Err(Error::Protocol { what: "an end mark without a reason to finish" });
        };
        // The last call of an answer that was cut may have been cut before its arguments.
        let is_cut = matches!(reason, FinishReason::Length | FinishReason::ContentFilter);
        self.blocks.finish(is_cut, events);
        if !self.has_output {
            check_empty(&reason, self.usage)?;
        }
        events.push(ProviderEvent::Finished(reason));
        Ok(Flow::Done)
    }
}
