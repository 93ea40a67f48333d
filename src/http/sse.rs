//! A response's events as the body of an answer.

use std::{convert::Infallible, io, panic::AssertUnwindSafe, time::Duration};

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::header,
    web::{Bytes, BytesMut},
};
use futures_util::{FutureExt as _, stream};
use tracing::Instrument;

use super::{ApiError, HttpState, in_flight::holding, readers::Reader};
use crate::actors::{ClientStream, Emission};
use crate::antiphon::Subscription;
use crate::fault::{self, FaultPoint};
use crate::protocol::{ErrorEvent, UserId};

const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");
const DONE: &[u8] = b"data: [DONE]\n\n";

/// Frames that are ready share a write up to this size.
const SHARED_WRITE: usize = 16 * 1024;

/// The answer that streams what a client gets.
///
/// Whoever reads a response that is there already is a reader; the request that made it is none.
pub(super) fn answer(stream: ClientStream, user: UserId, reader: Option<Reader>, state: &HttpState) -> HttpResponse {
    let body = SseBody {
        subscription: state.antiphon.subscription(user, stream),
        keep_alive: state.options.keep_alive,
        over: false,
        is_cut: false,
        span: tracing::Span::current(),
    };
    let chunks = stream::unfold(body, |mut body| async move {
        let span = body.span.clone();
        let chunk = AssertUnwindSafe(body.chunk().instrument(span)).catch_unwind().await;
        // The panic's hook has logged it. The status is sent, so that only an event can tell the client.
        let chunk = chunk.unwrap_or_else(|_| Some(body.broken_off(ApiError::internal())))?;
        // An event that was told in part can be followed by nothing else: the connection is cut.
        let chunk = if body.is_cut { Err(io::Error::from(io::ErrorKind::ConnectionAborted)) } else { Ok(chunk) };
        Some((chunk, body))
    });
    let answer = head().streaming(chunks);
    match reader {
        Some(reader) => answer.map_body(|_, body| holding(body, reader)),
        None => answer,
    }
}

/// The answer to who asks for the head of a stream alone.
pub(super) fn bare_answer() -> HttpResponse {
    head().streaming(stream::empty::<Result<Bytes, Infallible>>())
}

fn head() -> HttpResponseBuilder {
    let mut head = HttpResponse::Ok();
    head.insert_header((header::CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header(("x-accel-buffering", "no"));
    head
}

/// One connection's body. An event is never merged into another or left out, and nothing comes between its parts.
struct SseBody {
    subscription: Subscription,
    keep_alive: Duration,
    over: bool,
    is_cut: bool,
    span: tracing::Span,
}

impl SseBody {
    /// What is to be written next; none after the end.
    async fn chunk(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let received = loop {
            let received = tokio::time::timeout(self.keep_alive, self.subscription.recv()).await;
            if received.is_ok() || !self.subscription.is_within_event() {
                break received;
            }
        };
        match received {
            Err(_elapsed) => Some(KEEP_ALIVE),
            Ok(Some(Ok(emission))) => Some(self.ready(emission)),
            Ok(Some(Err(refusal))) => Some(self.broken_off(refusal.into())),
            Ok(None) => None,
        }
    }

    /// This emission and the others that are ready.
    fn ready(&mut self, first: Emission) -> Bytes {
        let first = self.bytes_of(first);
        let Some(second) = self.another(first.len()) else { return first };
        let mut chunk = BytesMut::from(first.as_ref());
        chunk.extend_from_slice(&second);
        while let Some(more) = self.another(chunk.len()) {
            chunk.extend_from_slice(&more);
        }
        chunk.freeze()
    }

    fn another(&mut self, written: usize) -> Option<Bytes> {
        if written >= SHARED_WRITE {
            return None;
        }
        let emission = self.subscription.try_recv()?;
        Some(self.bytes_of(emission))
    }

    fn bytes_of(&mut self, emission: Emission) -> Bytes {
        match emission {
            Emission::Frame { bytes, .. } => {
                fault::reach(FaultPoint::FrameTaken);
                bytes
            }
            Emission::Part { bytes } => bytes,
            Emission::End => {
                self.over = true;
                Bytes::from_static(DONE)
            }
            Emission::Unavailable { .. } => self.broken_off(ApiError::database_unavailable()),
        }
    }

    /// Ends the body with an `error` event: the response itself goes on, and its stream can be read later.
    fn broken_off(&mut self, error: ApiError) -> Bytes {
        tracing::warn!(response.id = %self.subscription.id(), error = %error, "http.stream.broken_off");
        self.over = true;
        self.is_cut = self.subscription.is_within_event();
        error_event(self.subscription.next_sequence_number().saturating_sub(1), error)
    }
}

/// The one event that is no part of a response's log, in both shapes that clients look for.
fn error_event(sequence_number: u64, error: ApiError) -> Bytes {
    let error = error.into_body();
    let event = ErrorEvent {
        sequence_number,
        code: error.code.clone(),
        message: error.message.clone(),
        param: error.param.clone(),
        error,
    };
    #[expect(clippy::expect_used, reason = "string keys, and no Serialize of the protocol fails")]
    let json = serde_json::to_string(&event).expect("events serialize");
    format!("event: error\ndata: {json}\n\n").into()
}
