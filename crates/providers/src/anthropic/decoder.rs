//! From the events of an answer to the events of the port: pure, synchronous.

use super::block::{LONGEST_ID, NextIndices, OpenBlock, StoppedBlock, ThoughtSealer, word};
use super::event::{AnthropicEvent, MessageChange, MessageStart, TokenCounts};
use crate::finish::finish_reason;
use crate::http::{Decode, Flow, SseFrame, report_of};
use crate::{Error, ProviderEvent, ProviderRequest};
use antiphon_domain::{CallIndex, FinishReason};
use antiphon_protocol::{Extra, Usage};

/// The most content blocks of an answer.
const MOST_BLOCKS: u32 = 1024;

/// The most calls of an answer.
const MOST_CALLS: CallIndex = 128;

/// Decodes one answer.
pub(super) struct AnthropicDecoder {
    thoughts: ThoughtSealer,
    started: bool,
    finished: bool,
    /// The block that is being written, with its index: there is one at a time.
    open: Option<(u32, OpenBlock)>,
    /// The lowest index that a block can still have.
    next_index: u32,
    calls: CallIndex,
    others: CallIndex,
    /// A call whose block was stopped without arguments.
    call_without_arguments: Option<CallIndex>,
    counts: TokenCounts,
    usage: Option<Usage>,
}

impl Decode for AnthropicDecoder {
    fn finished(&self) -> bool {
        self.finished
    }

    fn opens(&self) -> bool {
        true
    }

    fn frame(&mut self, frame: SseFrame, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let data = frame.data.trim();
        let event = serde_json::from_str(data).ok().filter(|_| data.starts_with('{'));
        match event {
            Some(event) => self.event(event, events),
            None if frame.event.as_deref() == Some("error") => Err(Error::Reported(Default::default())),
            None if frame.whole && !data.is_empty() => {
                Err(Error::Protocol { what: "an event has not the form of one" })
            }
            // Nothing, or the connection ended within it.
            None => Ok(Flow::Open),
        }
    }
}

impl AnthropicDecoder {
    /// Makes the decoder of the answer to that request.
    pub(super) fn new(asked: &ProviderRequest) -> Self {
        Self {
            thoughts: ThoughtSealer::new(asked),
            started: false,
            finished: false,
            open: None,
            next_index: 0,
            calls: 0,
            others: 0,
            call_without_arguments: None,
            counts: TokenCounts::default(),
            usage: None,
        }
    }

    fn event(&mut self, event: AnthropicEvent, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        match event {
            AnthropicEvent::Ping | AnthropicEvent::Unknown => {}
            AnthropicEvent::Error { error } => return Err(Error::Reported(report_of(&error))),
            AnthropicEvent::MessageStart { message } => self.begin(message, events)?,
            AnthropicEvent::ContentBlockStart { index, content_block } => {
                self.check_output()?;
                self.start(index, content_block, events)?;
            }
            AnthropicEvent::ContentBlockDelta { index, delta } => {
                self.check_output()?;
                self.block(index)?.delta(delta, events)?;
            }
            AnthropicEvent::ContentBlockStop { index } => {
                self.check_output()?;
                self.stop(index, events)?;
            }
            AnthropicEvent::MessageDelta { delta, usage } => {
                self.change(delta, usage.as_ref().map(TokenCounts::of), events)?
            }
            AnthropicEvent::MessageStop if self.finished => return Ok(Flow::Done),
            AnthropicEvent::MessageStop => {
                return Err(Error::Protocol { what: "an end mark without a reason to finish" });
            }
        }
        Ok(Flow::Open)
    }

    fn begin(
        &mut self,
        MessageStart { id, usage }: MessageStart,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        if self.started {
            return Err(Error::Protocol { what: "a second message in one answer" });
        }
        let id = id.filter(|id| !id.is_empty());
        let provider_response_id = id.map(|id| word(id, LONGEST_ID, "a message without a proper id")).transpose()?;
        self.started = true;
        // Its count of the output is not final.
        self.counts = usage.as_ref().map(TokenCounts::of).unwrap_or_default();
        events.push(ProviderEvent::Opened { provider_response_id });
        events.extend(self.counts.input_usage().map(ProviderEvent::InputUsage));
        Ok(())
    }

    fn check_output(&self) -> Result<(), Error> {
        match (self.started, self.finished) {
            (false, _) => Err(Error::Protocol { what: "output before the message began" }),
            (true, true) => Err(Error::Protocol { what: "output after the reason to finish" }),
            (true, false) => Ok(()),
        }
    }

    fn start(&mut self, index: u32, fields: Extra, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if self.open.is_some() {
            return Err(Error::Protocol { what: "a content block within another" });
        }
        if index < self.next_index {
            return Err(Error::Protocol { what: "a second content block of one index" });
        }
        if index >= MOST_BLOCKS {
            return Err(Error::Protocol { what: "too many content blocks" });
        }
        self.next_index = index + 1;
        self.finish_call_without_arguments(events);
        let is_call = fields.get("type").is_some_and(|kind| kind == "tool_use");
        if is_call && self.calls == MOST_CALLS {
            return Err(Error::Protocol { what: "too many calls" });
        }
        let next = NextIndices { call: self.calls, item: self.others };
        let block = OpenBlock::start(fields, next, &self.thoughts, events)?;
        match &block {
            OpenBlock::Call { .. } => self.calls += 1,
            OpenBlock::Other { .. } => self.others += 1,
            OpenBlock::Text { .. } | OpenBlock::Thinking { .. } | OpenBlock::RedactedThinking { .. } => {}
        }
        self.open = Some((index, block));
        Ok(())
    }

    fn block(&mut self, index: u32) -> Result<&mut OpenBlock, Error> {
        match &mut self.open {
            Some((open, block)) if *open == index => Ok(block),
            Some(_) | None => Err(Error::Protocol { what: "a delta without its content block" }),
        }
    }

    fn stop(&mut self, index: u32, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let Some((_, block)) = self.open.take_if(|(open, _)| *open == index) else {
            return Err(Error::Protocol { what: "the end of a content block that is not open" });
        };
        match block.stop(&self.thoughts, events) {
            StoppedBlock::WithoutArguments(call) => self.call_without_arguments = Some(call),
            StoppedBlock::Settled => {}
        }
        Ok(())
    }

    /// Completes a call that has no arguments.
    fn finish_call_without_arguments(&mut self, events: &mut Vec<ProviderEvent>) {
        let call = self.call_without_arguments.take();
        events.extend(call.map(|call| ProviderEvent::FunctionCallFinished { call, extra: Extra::new() }));
    }

    fn change(
        &mut self,
        MessageChange { stop_reason }: MessageChange,
        counts: Option<TokenCounts>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        if !self.started {
            return Err(Error::Protocol { what: "output before the message began" });
        }
        let reason = stop_reason.filter(|_| !self.finished).and_then(|word| finish_reason(&word));
        if let Some(reason) = reason.transpose()? {
            match reason {
                // The call may have been cut before its arguments.
                FinishReason::Length | FinishReason::ContentFilter => {}
                FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other(_) => {
                    self.finish_call_without_arguments(events)
                }
            }
            events.push(ProviderEvent::Finished(reason));
            self.finished = true;
        }
        if let Some(counts) = counts {
            self.counts = counts.after(self.counts);
            if let Some(usage) = self.counts.usage().filter(|usage| self.usage != Some(*usage)) {
                self.usage = Some(usage);
                events.push(ProviderEvent::Usage(usage));
            }
        }
        Ok(())
    }
}
