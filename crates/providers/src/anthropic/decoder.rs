//! From the events of an answer to the events of the port: pure, synchronous.

use super::block::is_word;
use super::blocks::AnthropicBlocks;
use super::event::{AnthropicEvent, MessageChange, TokenCounts, take_blocks, take_text};
use super::said_answer::SaidAnswer;
use crate::answer_ending::AnswerEnding;
use crate::event_fields::{EventFields, WrittenFields};
use crate::http::{Decode, Flow, SseFrame};
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};
use antiphon_domain::FinishReason;
use antiphon_protocol::Usage;

/// Decodes one answer.
pub(super) struct AnthropicDecoder {
    started: bool,
    blocks: AnthropicBlocks,
    said: SaidAnswer,
    limits: UpstreamLimits,
    ending: AnswerEnding,
    counts: TokenCounts,
    usage: Option<Usage>,
}

impl Decode for AnthropicDecoder {
    fn finished(&self) -> bool {
        self.ending.has_reason() && !(self.ending.is_outdated() && self.blocks.are_open())
    }

    fn is_over(&self) -> bool {
        self.ending.is_over() && !self.blocks.are_open()
    }

    fn is_reason_last(&self) -> bool {
        self.ending.is_reason_last() && !self.blocks.are_open()
    }

    fn opens(&self) -> bool {
        true
    }

    fn frame(&mut self, frame: SseFrame, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let (data, line) = (frame.data.trim(), frame.event.as_deref());
        let event = match AnthropicEvent::plain_delta(data) {
            Some(event) => Some(event),
            None => EventFields::parse(data, self.limits.event_values)
                .map(|event| AnthropicEvent::of(line, event))
                .transpose()?,
        };
        match event {
            Some(event) => self.event(event, events),
            None if line == Some("error") => Err(Error::Reported(Default::default())),
            // The end mark of Chat Completions, which gateways add.
            None if data == "[DONE]" => self.complete(events),
            None if frame.whole && !data.is_empty() => Err(EventFields::fault(data, self.limits.event_values)),
            // Nothing, or the connection ended within it.
            None => Ok(Flow::Open),
        }
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
            said: SaidAnswer::default(),
            blocks: AnthropicBlocks::new(asked, limits),
            limits,
            ending: AnswerEnding::default(),
            counts: TokenCounts::default(),
            usage: None,
        }
    }

    fn event(&mut self, event: AnthropicEvent<'_>, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        match event {
            AnthropicEvent::Other => {}
            AnthropicEvent::Error(report) => return Err(Error::Reported(report)),
            AnthropicEvent::Message(message) => self.whole(message, events)?,
            AnthropicEvent::MessageStart(message) => self.begin(message, events)?,
            AnthropicEvent::BlockStart { index, block } => {
                self.check_begun()?;
                self.tell(events, |blocks, events| blocks.start(index, block, events))?;
            }
            AnthropicEvent::BlockDelta { index, delta } => {
                self.check_begun()?;
                self.tell(events, |blocks, events| blocks.delta(index, delta, events))?;
            }
            AnthropicEvent::BlockStop { index } => {
                self.check_begun()?;
                self.tell_rest(events, |blocks, events| blocks.stop(index, events));
            }
            AnthropicEvent::MessageDelta(change) => {
                self.check_begun()?;
                self.change(change, events);
            }
            AnthropicEvent::MessageStop => return self.complete(events),
        }
        Ok(Flow::Open)
    }

    fn begin(&mut self, mut message: WrittenFields<'_>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if self.started {
            return Err(Error::Protocol { what: "a second message in one answer" });
        }
        self.started = true;
        let provider_response_id = Some(take_text(&mut message, "id")).filter(|id| is_word(id, self.limits.id_bytes));
        events.push(ProviderEvent::Opened { provider_response_id });
        // Its count of the output is not final.
        self.counts = message.get("usage").map(TokenCounts::of).unwrap_or_default();
        events.extend(self.counts.input_usage().map(ProviderEvent::InputUsage));
        self.tell_blocks(&mut message, events)
    }

    /// Tells the blocks that a message has.
    fn tell_blocks(&mut self, message: &mut WrittenFields<'_>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let Some(blocks) = take_blocks(message) else { return Ok(()) };
        self.ending.note_form();
        for block in blocks {
            self.tell(events, |blocks, events| blocks.start(None, block, events))?;
            self.tell_rest(events, |blocks, events| blocks.stop(None, events));
        }
        Ok(())
    }

    /// Reads an answer that comes as one message, whether or not a stream has begun. Behind output in pieces, which it
    /// repeats, it says how the answer ends.
    ///
    /// # Errors
    /// If it says anything else than the pieces: nobody could say how much of the message they are.
    fn whole(&mut self, mut message: WrittenFields<'_>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let usage = message.get("usage").cloned();
        let change = MessageChange::of(&mut message, usage.as_ref());
        match self.started {
            true if self.ending.has_output() => self.check_repeats(&mut message)?,
            true => self.tell_blocks(&mut message, events)?,
            false => self.begin(message, events)?,
        }
        self.change(change, events);
        Ok(())
    }

    fn check_repeats(&self, message: &mut WrittenFields<'_>) -> Result<(), Error> {
        let (mut blocks, mut events) = (self.blocks.anew(), Vec::new());
        let told = take_blocks(message).unwrap_or_default();
        if told.is_empty() {
            return Ok(());
        }
        for block in told {
            blocks.start(None, block, &mut events)?;
            blocks.stop(None, &mut events);
        }
        let mut whole = SaidAnswer::default();
        whole.note(&events);
        if self.said.says_the_same(&whole) {
            Ok(())
        } else {
            Err(Error::Protocol { what: "a whole message behind pieces of another one" })
        }
    }

    /// Lets the blocks tell what is new of them.
    fn tell(
        &mut self,
        events: &mut Vec<ProviderEvent>,
        tell: impl FnOnce(&mut AnthropicBlocks, &mut Vec<ProviderEvent>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let before = events.len();
        let told = tell(&mut self.blocks, events);
        self.ending.note_form();
        if self.note(events, before) {
            self.ending.note_output();
        }
        told
    }

    /// Lets the blocks tell the rest of what they began.
    fn tell_rest(
        &mut self,
        events: &mut Vec<ProviderEvent>,
        tell: impl FnOnce(&mut AnthropicBlocks, &mut Vec<ProviderEvent>),
    ) {
        let before = events.len();
        tell(&mut self.blocks, events);
        if self.note(events, before) {
            self.ending.note_rest();
        }
    }

    /// Notes the events behind so many. Returns whether there is output among them.
    fn note(&mut self, events: &[ProviderEvent], before: usize) -> bool {
        let new = events.get(before..).unwrap_or_default();
        self.said.note(new);
        new.iter().any(|event| event.output_bytes() > 0)
    }

    fn check_begun(&self) -> Result<(), Error> {
        if self.started { Ok(()) } else { Err(Error::Protocol { what: "output before the message began" }) }
    }

    fn change(&mut self, change: MessageChange, events: &mut Vec<ProviderEvent>) {
        let MessageChange { stop_reason, counts } = change;
        self.counts = counts.unwrap_or_default().after(self.counts);
        if counts.is_some()
            && let Some(usage) = self.counts.usage().filter(|usage| self.usage != Some(*usage))
        {
            self.usage = Some(usage);
            events.push(ProviderEvent::Usage(usage));
        }
        if let Some(word) = stop_reason {
            self.ending.note_reason(&word);
        }
    }

    /// Ends the answer. What came behind the reason to finish was a part of it.
    fn complete(&mut self, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let is_cut = match self.ending.latest() {
            None => return Err(Error::Protocol { what: "an end mark without a reason to finish" }),
            Some(Err(failure)) => return Err(failure.clone()),
            // The last call of an answer that was cut may have been cut before its arguments.
            Some(Ok(reason)) => matches!(reason, FinishReason::Length | FinishReason::ContentFilter),
        };
        self.tell_rest(events, |blocks, events| blocks.finish(is_cut, events));
        if self.blocks.saw_unknown() {
            self.ending.note_unknown_form();
        }
        let reason = self.ending.reason(self.usage)?;
        events.push(ProviderEvent::Finished(reason));
        Ok(Flow::Done)
    }
}
