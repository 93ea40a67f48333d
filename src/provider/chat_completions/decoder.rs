//! From the bytes of an answer to the events of the port: pure, synchronous, the same for every cut.

use bytes::Bytes;

use super::chunk::{Choice, Chunk, Delta};
use crate::domain::FinishReason;
use crate::protocol::Usage;
use crate::provider::sse::{SseDecoder, SseFrame};
use crate::provider::{Error, ProviderEvent, UpstreamLimits};

/// The longest word that is taken for a reason to finish, in bytes.
const LONGEST_REASON: usize = 64;

/// Whether more can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// It can.
    Open,
    /// The provider's end mark was seen.
    Done,
}

/// Decodes one answer.
pub(super) struct Decoder {
    sse: SseDecoder,
    finished: bool,
    usage: Option<Usage>,
}

impl Decoder {
    pub(super) fn new(limits: UpstreamLimits) -> Self {
        Self { sse: SseDecoder::new(limits), finished: false, usage: None }
    }

    /// Whether the provider gave its reason to finish.
    pub(super) fn finished(&self) -> bool {
        self.finished
    }

    /// Takes bytes as they came and adds the events that they complete.
    ///
    /// # Errors
    /// What the provider did wrong or reported; the events before it are there all the same.
    pub(super) fn push(&mut self, bytes: Bytes, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let mut frames = Vec::new();
        let result = self.sse.push(bytes, &mut frames);
        for frame in frames {
            if self.frame(frame, events)? == Flow::Done {
                return Ok(Flow::Done);
            }
        }
        result.map(|()| Flow::Open)
    }

    /// Takes note of the end of the bytes.
    ///
    /// # Errors
    /// Says why that was too early. None once the reason to finish was there: some servers send no end mark.
    pub(super) fn end(&mut self, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let mut frames = Vec::new();
        self.sse.end(&mut frames);
        for frame in frames {
            if self.frame(frame, events)? == Flow::Done {
                return Ok(());
            }
        }
        match self.finished {
            true => Ok(()),
            false if self.sse.saw_only_noise() => Err(Error::Protocol { what: "the answer is no event stream" }),
            false => Err(Error::Closed),
        }
    }

    fn frame(&mut self, frame: SseFrame, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        if frame.event.as_deref() == Some("error") {
            return Err(Error::Reported);
        }
        match frame.data.trim() {
            "" => Ok(Flow::Open),
            "[DONE]" if self.finished => Ok(Flow::Done),
            "[DONE]" => Err(Error::Protocol { what: "an end mark without a reason to finish" }),
            data => match parse(data) {
                Some(chunk) => self.chunk(chunk, events).map(|()| Flow::Open),
                None if frame.whole => Err(Error::Protocol { what: "a chunk has not the form of one" }),
                // The connection ended within it.
                None => Ok(Flow::Open),
            },
        }
    }

    fn chunk(&mut self, mut chunk: Chunk, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if chunk.is_error() {
            return Err(Error::Reported);
        }
        let usage = chunk.take_usage();
        for choice in chunk.choices.into_iter().flatten() {
            self.choice(choice, events)?;
        }
        if let Some(usage) = usage.filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            events.push(ProviderEvent::Usage(usage));
        }
        Ok(())
    }

    fn choice(&mut self, choice: Choice, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if choice.index != 0 {
            return Err(Error::Protocol { what: "more than one choice" });
        }
        let before = events.len();
        if let Some(delta) = choice.delta {
            said(delta, events)?;
        }
        if self.finished && events.len() > before {
            events.truncate(before);
            return Err(Error::Protocol { what: "output after the reason to finish" });
        }
        let reason = choice.finish_reason.filter(|reason| !reason.is_empty() && !self.finished);
        if let Some(reason) = reason {
            events.push(ProviderEvent::Finished(finish(reason)?));
            self.finished = true;
        }
        Ok(())
    }
}

/// Only objects: a list would be read as the fields in their order.
fn parse(data: &str) -> Option<Chunk> {
    data.starts_with('{').then(|| serde_json::from_str(data).ok()).flatten()
}

fn said(mut delta: Delta, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
    if delta.calls_a_tool() {
        return Err(Error::Protocol { what: "a tool call that was not asked for" });
    }
    let upstream_sequence = None;
    events.extend(delta.thought().map(|text| ProviderEvent::Reasoning { text, upstream_sequence }));
    let present = |text: &String| !text.is_empty();
    events.extend(delta.content.filter(present).map(|text| ProviderEvent::Text { text, upstream_sequence }));
    events.extend(delta.refusal.filter(present).map(|text| ProviderEvent::Refusal { text, upstream_sequence }));
    Ok(())
}

/// Words for an inference that broke off are errors: what was said is not all.
fn finish(reason: String) -> Result<FinishReason, Error> {
    match reason.as_str() {
        "stop" => Ok(FinishReason::Stop),
        "length" => Ok(FinishReason::Length),
        "content_filter" => Ok(FinishReason::ContentFilter),
        "tool_calls" | "function_call" => Ok(FinishReason::ToolCalls),
        "error" | "abort" | "insufficient_system_resource" => Err(Error::Reported),
        word if word.chars().any(char::is_control) => {
            Err(Error::Protocol { what: "a reason to finish that is no word" })
        }
        word if word.len() <= LONGEST_REASON => Ok(FinishReason::Other(reason)),
        _ => Err(Error::Protocol { what: "a reason to finish that is too long" }),
    }
}
