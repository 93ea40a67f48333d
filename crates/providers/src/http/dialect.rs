//! The parts of a protocol that a call needs.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::stream_decoder::NO_STREAM;
use super::{SseFrame, UpstreamId};
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};

/// A protocol that providers speak: how a request is written, and how the events of its answer are read.
pub(crate) trait Dialect: Send + Sync + 'static {
    /// The path that follows the base URL.
    fn path(&self) -> &'static str;

    /// The header that carries a key.
    fn key_header(&self, key: &str) -> Option<(HeaderName, HeaderValue)>;

    /// The headers that every request of this protocol has, beside the key.
    fn headers(&self) -> HeaderMap {
        HeaderMap::new()
    }

    /// The body of a request, built from the port's request alone.
    ///
    /// # Errors
    /// If it can't be written as JSON.
    fn body(&self, request: &ProviderRequest) -> serde_json::Result<Vec<u8>>;

    /// A decoder for the answer to a request, within the limits.
    fn decoder(&self, request: &ProviderRequest, limits: UpstreamLimits) -> Box<dyn Decode>;

    /// Whether events echo the request and repeat the output.
    fn echoes(&self) -> bool {
        false
    }

    /// How calls that go on without a listener are replayed and cancelled; none if closing the connection ends a call.
    fn detached(&self) -> Option<&dyn Detached> {
        None
    }
}

/// A protocol whose calls go on at the provider without a listener, under an id that the provider sends.
pub(crate) trait Detached {
    /// The URL that replays the stream of a call from its beginning; `calls` is the one that calls are made at.
    fn replay_url(&self, calls: &Url, request: &ProviderRequest, id: &UpstreamId) -> Url;

    /// The URL that cancels a call, by a POST without a body.
    fn cancel_url(&self, calls: &Url, id: &UpstreamId) -> Url;
}

/// Reads the events of one answer.
pub(crate) trait Decode {
    /// Decodes an event and appends what it holds.
    ///
    /// # Errors
    /// The fault or reported error of the provider; the events before it are appended all the same.
    fn frame(&mut self, frame: SseFrame, events: &mut Vec<ProviderEvent>) -> Result<Flow, Error>;

    /// Whether the provider has given its reason to finish. What still comes up to its end mark belongs to the answer.
    fn finished(&self) -> bool;

    /// Whether nothing but usage and an end mark is to be expected. These are not waited for as long as output is, and
    /// without them the answer is complete even if the connection is lost.
    fn is_over(&self) -> bool {
        self.finished()
    }

    /// Whether the last thing said was the reason to finish: if nothing follows for as long as output is waited for, while
    /// the connection is open, the answer is complete.
    fn is_reason_last(&self) -> bool {
        self.is_over()
    }

    /// Takes note of the end of an answer without an end mark. It is [finished](Self::finished), and its bytes ended; or it
    /// [is over](Self::is_over), and its connection was lost; or its [reason came last](Self::is_reason_last), and nothing
    /// followed.
    ///
    /// # Errors
    /// If the answer is not complete.
    fn end(&mut self, _events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        Ok(())
    }

    /// Decodes an answer that came as one JSON document, although a stream was asked for.
    ///
    /// # Errors
    /// The fault of the provider; the events before it are appended all the same.
    fn document(&mut self, data: String, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        match self.frame(SseFrame { event: None, data, whole: true }, events)? {
            Flow::Done => Ok(()),
            Flow::Open if self.finished() => self.end(events),
            Flow::Open if events.is_empty() => Err(NO_STREAM),
            // The provider works on it, and would be paid twice if it were asked again.
            Flow::Open => Err(Error::Protocol { what: "an answer that is not finished" }),
        }
    }

    /// Whether the decoder reports the opening itself, because its protocol begins with an event that has the
    /// provider's own id.
    fn opens(&self) -> bool {
        false
    }
}

/// Whether more can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More can follow.
    Open,
    /// The provider's end mark was seen.
    Done,
}
