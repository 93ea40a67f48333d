//! The emitter actor.

use std::{cell::RefCell, rc::Rc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture};
use bytes::Bytes;
use tokio::sync::mpsc::{Sender, error::TrySendError};

use super::{
    ClientId, Emission, FrameBuffer, FrameLookup, Past,
    replay::Replay,
    room::{FoldPatience, StallPatience, StalledOrGone, room},
};
use crate::actors::supervision::Ping;
use crate::domain::{Frame, View};
use crate::fault::{self, FaultPoint};
use crate::journal::{LogError, LogSlice};
use crate::protocol::ResponseId;

/// The bytes of an event from which on it is handed over alone: a client that stands still holds one such event at most.
const LARGE: usize = 8 * 1024;

/// The most bytes that are handed over at once. Of a larger event the client gets parts, one when it has taken the other.
const PART: usize = 32 * 1024;

/// Where an emitter reads the events from.
#[derive(Debug)]
pub(crate) struct FrameSource {
    /// The response.
    pub(crate) id: ResponseId,
    /// The committed events of a running response.
    pub(crate) frame_buffer: Option<Rc<RefCell<FrameBuffer>>>,
    /// Where the events are that the frame buffer does not have.
    pub(crate) past: Option<Past>,
}

/// The client that an emitter writes for.
#[derive(Debug)]
pub(crate) struct EmitterClient {
    pub(crate) id: ClientId,
    pub(crate) view: View,
    /// The number of the first event that the client wants.
    pub(crate) from: u64,
    pub(crate) sink: Sender<Emission>,
    /// How long the client may take nothing before it is disconnected.
    pub(crate) stall_timeout: Duration,
}

/// Writes the events of one response for one client.
///
/// It has a cursor, not a queue: it reads the frame buffer, or the log where the frame buffer no longer goes back
/// that far, as fast as the client takes the events, and drops none. A client that takes nothing for the stall
/// timeout is disconnected; it can subscribe again after the last event that it got.
///
/// In: [`Committed`]. Out: [`Emission`]s to the client, [`EmitterFact`]s to the parent. Ends: when all is
/// emitted, the client is gone, or the log can't be read.
#[derive(Debug)]
pub(crate) struct ClientEmitter {
    client: ClientId,
    source: FrameSource,
    replay: Option<Replay>,
    view: View,
    /// The number of the next event to emit.
    cursor: u64,
    /// The bytes of that event that were handed over, in parts.
    emitted: usize,
    sink: Sender<Emission>,
    stall_timeout: Duration,
    fold_patience: FoldPatience,
    /// Whether it waits for room at the client or for the log.
    busy: bool,
    parent: Recipient<EmitterFact>,
}

/// How an emitter's work ended. Sent to the parent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum EmitterFact {
    /// Everything is emitted, or the client left.
    Finished { client: ClientId },
    /// The client took nothing for too long and was disconnected.
    Stalled { client: ClientId },
    /// The emitter has passed on what it could: there is room for more.
    Drained,
}

/// There may be more to read.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Committed;

impl ClientEmitter {
    pub(crate) fn new(client: EmitterClient, source: FrameSource, parent: Recipient<EmitterFact>) -> Self {
        let EmitterClient { id, view, from, sink, stall_timeout } = client;
        Self {
            client: id,
            source,
            replay: None,
            view,
            cursor: from,
            emitted: 0,
            sink,
            stall_timeout,
            fold_patience: FoldPatience::new(),
            busy: false,
            parent,
        }
    }

    fn pump(&mut self, ctx: &mut Context<Self>) {
        while !self.busy {
            match self.look() {
                FrameLookup::Frame(frame) => self.emit(&frame, ctx),
                FrameLookup::Behind => self.read_past(ctx),
                FrameLookup::Nothing => {
                    self.report_progress();
                    return;
                }
                FrameLookup::Over => return self.finish(Emission::End, ctx),
                FrameLookup::Unavailable => {
                    let last_sequence_number = self.cursor.saturating_sub(1);
                    return self.finish(Emission::Unavailable { last_sequence_number }, ctx);
                }
            }
        }
    }

    fn look(&mut self) -> FrameLookup {
        if let Some(frame) = self.replay.as_mut().and_then(|replay| replay.frame(self.cursor)) {
            return FrameLookup::Frame(frame);
        }
        match &self.source.frame_buffer {
            Some(frame_buffer) => frame_buffer.borrow().look(self.cursor),
            None if self.replay.as_ref().is_some_and(|replay| replay.is_over(self.cursor)) => FrameLookup::Over,
            None => FrameLookup::Behind,
        }
    }

    fn emit(&mut self, frame: &Frame, ctx: &mut Context<Self>) {
        let bytes = frame.viewed(self.view, self.source.id);
        let rest = bytes.slice(self.emitted.min(bytes.len())..);
        if rest.len() > LARGE && self.sink.capacity() < self.sink.max_capacity() {
            self.report_progress();
            return self.wait_for_room(self.sink.max_capacity(), ctx);
        }
        let emission = match rest.get(..PART) {
            Some(part) if rest.len() > PART => Emission::Part { bytes: copy(part) },
            Some(_) | None if self.emitted > 0 => {
                Emission::Frame { sequence_number: frame.sequence_number, bytes: copy(&rest) }
            }
            Some(_) | None => Emission::Frame { sequence_number: frame.sequence_number, bytes: rest },
        };
        let is_part = matches!(emission, Emission::Part { .. });
        match self.sink.try_send(emission) {
            Ok(()) if is_part => self.emitted += PART,
            Ok(()) => {
                fault::reach(FaultPoint::FrameEmitted);
                self.cursor = frame.sequence_number + 1;
                self.emitted = 0;
            }
            Err(TrySendError::Full(_)) => {
                self.report_progress();
                self.wait_for_room(1, ctx);
            }
            Err(TrySendError::Closed(_)) => self.leave(ctx),
        }
    }

    /// Waits until the client has taken so much that there is room for that many events.
    fn wait_for_room(&mut self, events: usize, ctx: &mut Context<Self>) {
        self.wait_on(events, Duration::ZERO, ctx);
    }

    fn wait_on(&mut self, events: usize, waited: Duration, ctx: &mut Context<Self>) {
        self.busy = true;
        let sink = self.sink.clone();
        // First until the fold is given up, then until the client is.
        let longest = match self.replay {
            Some(_) => self.fold_patience.longest(self.stall_timeout),
            None => self.stall_timeout,
        };
        let room = async move { room(&sink, events, StallPatience { longest, waited }).await };
        ctx.spawn(room.into_actor(self).map(move |room, emitter, ctx| match room {
            Ok(()) => emitter.go_on(ctx),
            Err(StalledOrGone::Gone) => emitter.leave(ctx),
            Err(StalledOrGone::Stalled) if longest < emitter.stall_timeout => {
                emitter.replay = None;
                emitter.fold_patience.was_given_up();
                emitter.wait_on(events, longest, ctx);
            }
            Err(StalledOrGone::Stalled) => {
                emitter.parent.do_send(EmitterFact::Stalled { client: emitter.client });
                emitter.stop(ctx);
            }
        }));
    }

    fn read_past(&mut self, ctx: &mut Context<Self>) {
        let Some(past) = self.source.past.clone() else {
            tracing::error!(response.id = %self.source.id, "an event left the frame buffer before it was emitted");
            return self.stop(ctx);
        };
        self.busy = true;
        let id = self.source.id;
        let replay = self.replay.get_or_insert_with(|| Replay::new(id));
        let (from, segments) = (replay.position(), replay.segments());
        let read = async move { past.slice(from, segments).await };
        ctx.spawn(read.into_actor(self).map(|slice, emitter, ctx| emitter.fold(slice, ctx)));
    }

    fn fold(&mut self, slice: Result<LogSlice, LogError>, ctx: &mut Context<Self>) {
        match slice {
            Ok(slice) if !slice.facts.is_empty() => {
                if let Some(replay) = &mut self.replay {
                    replay.extend(slice);
                }
                self.go_on(ctx);
            }
            Ok(_) if self.ends_as_recorded() => self.go_on(ctx),
            // The connection subscribes again at its cursor.
            Ok(_) => {
                tracing::warn!(response.id = %self.source.id, "a log ended before its terminal event");
                self.stop(ctx);
            }
            Err(LogError::Store(error)) if error.is_transient() => {
                self.busy = false;
                let last_sequence_number = self.cursor.saturating_sub(1);
                self.finish(Emission::Unavailable { last_sequence_number }, ctx);
            }
            // The connection subscribes again, and is told that there is no such response.
            Err(LogError::Deleted) => self.stop(ctx),
            Err(error) => {
                tracing::error!(response.id = %self.source.id, error = %error, "a log could not be read");
                self.stop(ctx);
            }
        }
    }

    /// Whether the log is over without saying how the response ended, and its row says so instead.
    fn ends_as_recorded(&mut self) -> bool {
        let recorded = self.source.past.as_ref().and_then(Past::recorded_ending);
        let recorded = recorded.filter(|recorded| recorded.may_stand_alone()).cloned();
        recorded.is_some_and(|recorded| self.replay.as_mut().is_some_and(|replay| replay.end_as(recorded)))
    }

    fn go_on(&mut self, ctx: &mut Context<Self>) {
        self.busy = false;
        self.pump(ctx);
    }

    fn report_progress(&self) {
        if let Some(frame_buffer) = &self.source.frame_buffer {
            let mut frame_buffer = frame_buffer.borrow_mut();
            let was_full = frame_buffer.is_full();
            frame_buffer.advance(self.client, self.cursor);
            if was_full && !frame_buffer.is_full() {
                self.parent.do_send(EmitterFact::Drained);
            }
        }
    }

    fn finish(&mut self, last: Emission, ctx: &mut Context<Self>) {
        match self.sink.try_send(last) {
            Ok(()) | Err(TrySendError::Closed(_)) => self.leave(ctx),
            Err(TrySendError::Full(_)) => self.wait_for_room(1, ctx),
        }
    }

    fn leave(&mut self, ctx: &mut Context<Self>) {
        self.parent.do_send(EmitterFact::Finished { client: self.client });
        self.stop(ctx);
    }

    /// Ends the actor, also from inside [`pump`](Self::pump), which must return after that.
    fn stop(&mut self, ctx: &mut Context<Self>) {
        self.busy = true;
        ctx.stop();
    }
}

/// Of its own: what is cut from an event would keep all of it.
fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

impl Actor for ClientEmitter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let sink = self.sink.clone();
        let gone = async move { sink.closed().await };
        ctx.spawn(gone.into_actor(self).map(|(), emitter, ctx| emitter.leave(ctx)));
        self.report_progress();
        self.pump(ctx);
    }
}

impl Handler<Committed> for ClientEmitter {
    type Result = ();

    fn handle(&mut self, _: Committed, ctx: &mut Self::Context) {
        self.pump(ctx);
    }
}

impl Handler<Ping> for ClientEmitter {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}
