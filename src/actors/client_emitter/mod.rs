//! Writes the events of one response for one client, at the client's pace.

mod emitter;
mod frame_buffer;
mod past;
mod replay;
mod room;

pub(crate) use emitter::{ClientEmitter, Committed, EmitterClient, EmitterFact, FrameSource};
pub(crate) use frame_buffer::{FrameBuffer, FrameLookup};
pub(crate) use past::{Memory, Past};

pub(crate) use crate::domain::ClientId;

use bytes::Bytes;

/// What an emitter hands to the client's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Emission {
    /// One server-sent event, with its closing blank line; or the rest of one that began with parts.
    Frame {
        /// The event's number.
        sequence_number: u64,
        /// The event.
        bytes: Bytes,
    },
    /// A piece of an event that is too large to wait whole for a client that takes nothing. The next one follows, and last
    /// a [`Frame`](Self::Frame).
    Part {
        /// The piece.
        bytes: Bytes,
    },
    /// The terminal event was the last frame.
    End,
    /// The database is unavailable for longer than the response waits. All events that the client got are durable;
    /// the ending can be read once the database is available again.
    Unavailable {
        /// The last event's number.
        last_sequence_number: u64,
    },
}
