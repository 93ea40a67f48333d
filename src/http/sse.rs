//! A response's events as the body of an answer.

use std::{convert::Infallible, sync::Arc};

use actix_web::{
    HttpResponse,
    http::header,
    web::{Bytes, BytesMut},
};
use futures_util::{future::BoxFuture, stream};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::{ApiError, Backend, HttpState};
use crate::actors::{Emission, ReadRefusal, Reader, Wish};
use crate::domain::View;
use crate::fault::{self, FaultPoint};
use crate::protocol::{ErrorEvent, ResponseId, UserId};

const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");
const DONE: &[u8] = b"data: [DONE]\n\n";

/// Frames that are ready share a write up to this size.
const SHARED_WRITE: usize = 16 * 1024;

/// How often in a row a reader may be lost without a single event.
const MOST_FRUITLESS: u32 = 5;

/// The answer that streams what a reader gets, from event number `from` on.
pub(super) fn answer(reader: Reader, state: &HttpState, user: UserId, (view, from): (View, u64)) -> HttpResponse {
    let body = SseBody {
        backend: Arc::clone(&state.backend),
        user,
        id: reader.id,
        view,
        next: from,
        keep_alive: state.settings.keep_alive,
        source: Source::Reading(reader),
        fruitless: 0,
        span: tracing::Span::current(),
    };
    let chunks = stream::unfold(body, |mut body| async move {
        let span = body.span.clone();
        let chunk = body.chunk().instrument(span).await?;
        Some((Ok::<_, Infallible>(chunk), body))
    });
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(chunks)
}

/// One connection's way through a response's events. A frame is never split, merged into another or left
/// out; a lost reader is replaced by one that goes on after the last frame.
struct SseBody {
    backend: Arc<dyn Backend>,
    user: UserId,
    id: ResponseId,
    view: View,
    /// The number of the next event.
    next: u64,
    keep_alive: std::time::Duration,
    source: Source,
    fruitless: u32,
    span: tracing::Span,
}

enum Source {
    Reading(Reader),
    Resuming(BoxFuture<'static, Result<Reader, ReadRefusal>>),
    Over,
}

impl SseBody {
    /// What is to be written next; none after the end.
    async fn chunk(&mut self) -> Option<Bytes> {
        loop {
            match &mut self.source {
                Source::Over => return None,
                Source::Reading(reader) => {
                    let Ok(emission) = tokio::time::timeout(self.keep_alive, reader.emissions.recv()).await else {
                        return Some(KEEP_ALIVE);
                    };
                    match emission {
                        Some(emission) => return Some(self.ready(emission)),
                        None if self.fruitless == MOST_FRUITLESS => {
                            return Some(self.broken_off(ApiError::internal()));
                        }
                        None => self.resume(),
                    }
                }
                Source::Resuming(resumed) => {
                    let Ok(resumed) = tokio::time::timeout(self.keep_alive, resumed).await else {
                        return Some(KEEP_ALIVE);
                    };
                    match resumed {
                        Ok(reader) => self.source = Source::Reading(reader),
                        Err(refusal) => return Some(self.broken_off(refusal.into())),
                    }
                }
            }
        }
    }

    /// This emission and the others that are ready.
    fn ready(&mut self, first: Emission) -> Bytes {
        self.fruitless = 0;
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
        let Source::Reading(reader) = &mut self.source else { return None };
        if written >= SHARED_WRITE {
            return None;
        }
        match reader.emissions.try_recv() {
            Ok(emission) => Some(self.bytes_of(emission)),
            Err(mpsc::error::TryRecvError::Empty | mpsc::error::TryRecvError::Disconnected) => None,
        }
    }

    fn bytes_of(&mut self, emission: Emission) -> Bytes {
        match emission {
            Emission::Frame { sequence_number, bytes } => {
                fault::reach(FaultPoint::FrameTaken);
                self.next = sequence_number.saturating_add(1);
                bytes
            }
            Emission::End => {
                self.source = Source::Over;
                Bytes::from_static(DONE)
            }
            Emission::Unavailable { last_sequence_number } => {
                self.next = last_sequence_number.saturating_add(1);
                self.broken_off(ApiError::database_unavailable())
            }
        }
    }

    /// Asks for another reader, which goes on after the last frame.
    fn resume(&mut self) {
        self.fruitless += 1;
        let (backend, user, id) = (Arc::clone(&self.backend), self.user, self.id);
        let wish = Wish::Events { view: self.view, from: self.next };
        let lost = std::mem::replace(&mut self.source, Source::Over);
        self.source = Source::Resuming(Box::pin(async move {
            let resumed = backend.resume(user, id, wish).await;
            // Not before the next one is there: without any reader the client would count as gone.
            drop(lost);
            resumed
        }));
    }

    /// Ends the body with an `error` event: the response itself goes on, and its stream can be read later.
    fn broken_off(&mut self, error: ApiError) -> Bytes {
        tracing::warn!(response.id = %self.id, error = %error, "http.stream.broken_off");
        self.source = Source::Over;
        error_event(self.next.saturating_sub(1), error)
    }
}

/// The one event that is no part of a response's log, in both shapes that clients look for.
fn error_event(sequence_number: u64, error: ApiError) -> Bytes {
    let error = error.into_body();
    let event = ErrorEvent {
        sequence_number,
        code: error.code,
        message: error.message.clone(),
        param: error.param.clone(),
        error,
    };
    #[expect(clippy::expect_used, reason = "string keys, and no Serialize of the protocol fails")]
    let json = serde_json::to_string(&event).expect("events serialize");
    format!("event: error\ndata: {json}\n\n").into()
}
