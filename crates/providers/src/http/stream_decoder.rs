//! From the bytes of an answer to the events of the port: pure, synchronous, the same for every cut.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::report::error_document;
use super::sse::SseDecoder;
use super::{Decode, Flow};
use crate::{Error, ProviderEvent, UpstreamLimits};

/// What an answer that is no stream is.
pub(super) const NO_STREAM: Error = Error::Empty { what: "the answer is no event stream" };

/// Decodes one answer, as its bytes come. The adapters make one for a request, to read with it what was recorded.
pub struct StreamDecoder {
    sse: SseDecoder,
    body: AnswerBody,
    dialect: Box<dyn Decode>,
    limits: UpstreamLimits,
    frames: u64,
}

/// What the bytes of an answer are. Their first ones say so: servers send one under the label of another.
enum AnswerBody {
    /// Nothing but white space so far.
    Blank,
    /// Server-sent events.
    Events,
    /// A JSON document: the whole answer, or an error.
    Document(Vec<u8>),
    /// A page for people.
    Page,
}

impl AnswerBody {
    /// What begins with the bytes.
    fn of(bytes: &[u8]) -> Self {
        // White space, and the parts of a byte order mark.
        match bytes.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xEF | 0xBB | 0xBF)) {
            None => Self::Blank,
            Some(b'{' | b'[') => Self::Document(Vec::new()),
            Some(b'<') => Self::Page,
            Some(_) => Self::Events,
        }
    }
}

impl std::fmt::Debug for StreamDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamDecoder").field("sse", &self.sse).field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl StreamDecoder {
    pub(crate) fn new(dialect: Box<dyn Decode>, limits: UpstreamLimits) -> Self {
        Self { sse: SseDecoder::new(limits), body: AnswerBody::Blank, dialect, limits, frames: 0 }
    }

    /// Whether nothing but usage and an end mark is to be expected.
    pub(crate) fn is_over(&self) -> bool {
        self.dialect.is_over()
    }

    /// How many events there were, or pieces of a document.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// Takes bytes as they came and adds the events that they complete.
    ///
    /// # Errors
    /// The fault or reported error of the provider; the events before it are added all the same. Nothing may be pushed
    /// after it, nor after [`Flow::Done`].
    pub fn push(&mut self, bytes: Bytes, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        if matches!(self.body, AnswerBody::Blank) {
            self.body = AnswerBody::of(&bytes);
        }
        match &mut self.body {
            AnswerBody::Blank | AnswerBody::Events => self.push_events(bytes, events),
            AnswerBody::Document(document) if bytes.len() > self.limits.frame_bytes - document.len() => {
                Err(Error::Protocol { what: "the answer holds more bytes than limits.provider_event_bytes" })
            }
            AnswerBody::Document(document) => {
                document.extend_from_slice(&bytes);
                self.frames += 1;
                Ok(Flow::Open)
            }
            AnswerBody::Page => Err(NO_STREAM),
        }
    }

    fn push_events(&mut self, bytes: Bytes, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let mut frames = Vec::new();
        let result = self.sse.push(bytes, &mut frames);
        for frame in frames {
            let before = events.len();
            if self.dialect.frame(frame, events)? == Flow::Done {
                return Ok(Flow::Done);
            }
            self.frames += 1;
            if self.frames <= self.limits.output_bytes as u64 {
                let output = events.iter().skip(before).map(ProviderEvent::output_bytes).sum();
                self.sse.allow(UpstreamLimits::of_event(output));
            }
        }
        result.map(|()| Flow::Open)
    }

    /// Takes note of the end of the bytes.
    ///
    /// # Errors
    /// The reason why that was too early. Some servers send no end mark: a reason to finish is enough.
    pub fn end(&mut self, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if let AnswerBody::Document(document) = &mut self.body {
            let document = std::mem::take(document);
            return self.end_document(document, events);
        }
        match self.last_frame(events)? {
            Flow::Done => Ok(()),
            Flow::Open if self.dialect.finished() => self.dialect.end(events),
            Flow::Open if self.sse.saw_only_noise() => Err(NO_STREAM),
            Flow::Open => Err(Error::Closed),
        }
    }

    /// Takes note that the connection is lost.
    ///
    /// # Errors
    /// `reason`, unless the answer was over.
    pub(crate) fn lose(&mut self, reason: Error, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        self.give_up(reason, |dialect| dialect.is_over(), events)
    }

    /// Takes note that the wait for more is over, although the connection is open.
    ///
    /// # Errors
    /// [`Error::IdleTimeout`], unless the last thing said was the reason to finish.
    pub(crate) fn fall_silent(&mut self, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        self.give_up(Error::IdleTimeout, |dialect| dialect.is_reason_last(), events)
    }

    /// Ends an answer whose bytes have not ended, which is `reason` unless it is complete. A part of a document is nothing.
    fn give_up(
        &mut self,
        reason: Error,
        is_complete: impl FnOnce(&dyn Decode) -> bool,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        if matches!(self.body, AnswerBody::Document(_)) {
            return Err(reason);
        }
        match self.last_frame(events)? {
            Flow::Done => Ok(()),
            Flow::Open if is_complete(self.dialect.as_ref()) => self.dialect.end(events),
            Flow::Open => Err(reason),
        }
    }

    /// Reads the rest: it may hold the last event, whole but for its blank line.
    fn last_frame(&mut self, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error> {
        let mut frames = Vec::new();
        self.sse.end(&mut frames);
        for frame in frames {
            if self.dialect.frame(frame, events)? == Flow::Done {
                return Ok(Flow::Done);
            }
        }
        Ok(Flow::Open)
    }

    fn end_document(&mut self, document: Vec<u8>, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        let mut document = String::from_utf8(document).map_err(|_| NO_STREAM)?;
        if document.starts_with('\u{feff}') {
            document.remove(0);
        }
        match error_document(&document) {
            Some(report) => Err(Error::Reported(report)),
            None if serde_json::from_str::<IgnoredAny>(&document).is_err() => Err(NO_STREAM),
            None => self.dialect.document(document, events),
        }
    }
}
