//! From the chunks of an answer to the events of the port: pure, synchronous.

use super::chunk::{Choice, Chunk, Delta};
use crate::domain::FinishReason;
use crate::protocol::Usage;
use crate::provider::http::{Decode, Flow, SseFrame};
use crate::provider::{Error, ProviderEvent, Report};

/// The longest word that is taken for a reason to finish, in bytes.
const LONGEST_REASON: usize = 64;

/// Decodes one answer.
#[derive(Default)]
pub(super) struct Decoder {
    finished: bool,
    usage: Option<Usage>,
}

impl Decode for Decoder {
    fn finished(&self) -> bool {
        self.finished
    }

    fn frame(&mut self, frame: SseFrame, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        if frame.event.as_deref() == Some("error") {
            return Err(Error::Reported(parse(frame.data.trim()).map(|chunk| chunk.report()).unwrap_or_default()));
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
}

impl Decoder {
    fn chunk(&mut self, mut chunk: Chunk, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if chunk.is_error() {
            return Err(Error::Reported(chunk.report()));
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
    events.extend(delta.content.filter(present).map(|text| ProviderEvent::Text {
        text,
        logprobs: Vec::new(),
        upstream_sequence,
    }));
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
        "error" | "abort" | "insufficient_system_resource" => Err(Error::Reported(Report::Other)),
        word if word.chars().any(char::is_control) => {
            Err(Error::Protocol { what: "a reason to finish that is no word" })
        }
        word if word.len() <= LONGEST_REASON => Ok(FinishReason::Other(reason)),
        _ => Err(Error::Protocol { what: "a reason to finish that is too long" }),
    }
}
