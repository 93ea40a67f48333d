//! From the bytes of an answer to the events of the port: pure, synchronous, the same for every cut.

use bytes::Bytes;

use super::sse::SseDecoder;
use super::{Decode, Flow};
use crate::{Error, ProviderEvent, UpstreamLimits};

/// Decodes one answer.
pub(crate) struct StreamDecoder {
    sse: SseDecoder,
    dialect: Box<dyn Decode>,
    frames: u64,
}

impl StreamDecoder {
    pub(crate) fn new(dialect: Box<dyn Decode>, limits: UpstreamLimits) -> Self {
        Self { sse: SseDecoder::new(limits), dialect, frames: 0 }
    }

    /// Whether the provider has reported that it is finished.
    pub(crate) fn finished(&self) -> bool {
        self.dialect.finished()
    }

    /// Whether nothing but usage and an end mark is to be expected.
    pub(crate) fn is_over(&self) -> bool {
        self.dialect.is_over()
    }

    /// How many events there were.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// Takes bytes as they came and adds the events that they complete.
    ///
    /// # Errors
    /// The fault or reported error of the provider; the events before it are added all the same.
    pub(crate) fn push(&mut self, bytes: Bytes, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let mut frames = Vec::new();
        let result = self.sse.push(bytes, &mut frames);
        self.frames += frames.len() as u64;
        for frame in frames {
            if self.dialect.frame(frame, events)? == Flow::Done {
                return Ok(Flow::Done);
            }
        }
        result.map(|()| Flow::Open)
    }

    /// Takes note of the end of the bytes, or of the wait for more.
    ///
    /// # Errors
    /// The reason why that was too early. Some servers send no end mark: a reason to finish is enough.
    pub(crate) fn end(&mut self, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let mut frames = Vec::new();
        self.sse.end(&mut frames);
        for frame in frames {
            if self.dialect.frame(frame, events)? == Flow::Done {
                return Ok(());
            }
        }
        match self.finished() {
            true => self.dialect.end(events),
            false if self.sse.saw_only_noise() => Err(Error::Protocol { what: "the answer is no event stream" }),
            false => Err(Error::Closed),
        }
    }
}
