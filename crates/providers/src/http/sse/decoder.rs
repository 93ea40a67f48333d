//! The decoder: the `sse-stream` parser, fed by hand, within limits.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use sse_stream::{Sse, SseByteStream};

use super::boundary::Boundary;
use crate::{Error, UpstreamLimits};

/// One event of an upstream.
#[derive(Clone, PartialEq, Eq)]
pub struct SseFrame {
    /// Its `event:` line.
    pub event: Option<String>,
    /// Its `data:` lines, joined by line feeds.
    pub data: String,
    /// Whether its final blank line was seen. If not, the connection ended within or right after it.
    pub whole: bool,
}

// Frames carry content, and content is in no log.
impl std::fmt::Debug for SseFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SseFrame").field("bytes", &self.data.len()).field("whole", &self.whole).finish_non_exhaustive()
    }
}

/// Decodes the events of one call. Synchronous: the caller reads the socket.
pub struct SseDecoder {
    inlet: Rc<Cell<Option<Bytes>>>,
    parser: SseByteStream<Inlet>,
    boundary: Boundary,
    limits: UpstreamLimits,
    /// The bytes that the call may have by now.
    allowed: u64,
    taken: u64,
    frames: u64,
}

/// The parser's input: holds one buffer, and is pending when that is used up.
struct Inlet(Rc<Cell<Option<Bytes>>>);

impl Stream for Inlet {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(bytes))))
    }
}

impl std::fmt::Debug for SseDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SseDecoder").field("taken", &self.taken).field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl SseDecoder {
    /// Makes the decoder of a call that has these limits.
    #[must_use]
    pub fn new(limits: UpstreamLimits) -> Self {
        let inlet = Rc::new(Cell::new(None));
        let parser = SseByteStream::new(Inlet(Rc::clone(&inlet)));
        Self { inlet, parser, boundary: Boundary::new(), limits, allowed: limits.call_bytes, taken: 0, frames: 0 }
    }

    /// Takes bytes as they came and adds the events that they complete.
    ///
    /// # Errors
    /// [`Error::Protocol`] where the bytes go beyond a limit or a line is no UTF-8; the events before that place
    /// are there all the same. Nothing may be pushed after an error.
    pub fn push(&mut self, bytes: Bytes, frames: &mut Vec<SseFrame>) -> Result<(), Error> {
        let left = usize::try_from(self.allowed - self.taken).unwrap_or(usize::MAX);
        let within_call = bytes.len().min(left);
        let within = self.boundary.within(&bytes[..within_call], self.limits.frame_bytes);
        self.taken += within as u64;
        let whole_input = bytes.len();
        self.parse(bytes.slice(..within), true, frames)?;
        match within {
            within if within == whole_input => Ok(()),
            within if within == within_call => {
                Err(Error::Protocol { what: "the call holds more bytes than limits.provider_call_bytes allows" })
            }
            _ => Err(Error::Protocol { what: "an event holds more bytes than limits.provider_event_bytes" }),
        }
    }

    /// Lets the call have so many bytes more.
    pub(crate) fn allow(&mut self, bytes: u64) {
        self.allowed = self.allowed.saturating_add(bytes);
    }

    /// Takes note of the end of the bytes and adds the event that it cut, if any.
    pub fn end(&mut self, frames: &mut Vec<SseFrame>) {
        // A rest that is not UTF-8 was cut, as any other rest was: it is no event.
        let _cut = self.parse(Bytes::from_static(b"\n\n"), false, frames);
    }

    /// Whether bytes came but not a single event: they are something else than an event stream.
    pub(crate) fn saw_only_noise(&self) -> bool {
        self.taken > 0 && self.frames == 0
    }

    fn parse(&mut self, bytes: Bytes, whole: bool, frames: &mut Vec<SseFrame>) -> Result<(), Error> {
        self.inlet.set(Some(bytes));
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(event)) = Pin::new(&mut self.parser).poll_next(&mut context) {
            let Sse { event, data, .. } = event.map_err(|_| Error::Protocol { what: "the stream is no UTF-8" })?;
            self.frames += 1;
            if let Some(data) = data {
                frames.push(SseFrame { event, data, whole });
            }
        }
        Ok(())
    }
}
