//! The committed events of a running response, shared by its emitters.

use std::collections::{BTreeMap, VecDeque};

use super::ClientId;
use crate::domain::Frame;

/// What the frame buffer has at an emitter's cursor.
#[derive(Debug)]
pub(crate) enum FrameLookup {
    /// The next event.
    Frame(Frame),
    /// The event has left the frame buffer: it must be read from the log.
    Behind,
    /// The event does not exist yet.
    Nothing,
    /// The response has ended: no event follows.
    Over,
    /// No event follows before the database is available again.
    Unavailable,
}

/// Recent committed events, encoded once and shared by all emitters of a response.
///
/// A stored response keeps the latest `capacity` bytes: an emitter that is further behind reads the log. One that is
/// not stored has no log and keeps every event until all its emitters have passed it.
#[derive(Debug)]
pub(crate) struct FrameBuffer {
    frames: VecDeque<Frame>,
    bytes: usize,
    next_sequence: u64,
    capacity: usize,
    /// The emitters' cursors; only kept for a response that is not stored.
    cursors: Option<BTreeMap<ClientId, u64>>,
    pub(crate) over: bool,
    pub(crate) unavailable: bool,
}

impl FrameBuffer {
    pub(crate) fn new(capacity: usize, stored: bool) -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            next_sequence: 0,
            capacity,
            cursors: (!stored).then(BTreeMap::new),
            over: false,
            unavailable: false,
        }
    }

    /// Begins the buffer at this event: earlier ones can only be read from the log.
    pub(crate) fn begin_at(&mut self, next_sequence: u64) {
        self.next_sequence = next_sequence;
    }

    pub(crate) fn publish(&mut self, frame: Frame) {
        self.next_sequence = frame.sequence_number + 1;
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        self.trim();
    }

    /// Whether emitters are so far behind that no more events should be added for now.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > self.capacity
    }

    pub(crate) fn look(&self, cursor: u64) -> FrameLookup {
        if cursor >= self.next_sequence {
            return if self.over {
                FrameLookup::Over
            } else if self.unavailable {
                FrameLookup::Unavailable
            } else {
                FrameLookup::Nothing
            };
        }
        let oldest = self.next_sequence - self.frames.len() as u64;
        let index = cursor.checked_sub(oldest).and_then(|index| usize::try_from(index).ok());
        index
            .and_then(|index| self.frames.get(index))
            .map_or(FrameLookup::Behind, |frame| FrameLookup::Frame(frame.clone()))
    }

    /// Notes that an emitter has passed on all events before `cursor`.
    pub(crate) fn advance(&mut self, client: ClientId, cursor: u64) {
        if let Some(cursors) = &mut self.cursors {
            cursors.insert(client, cursor);
            self.trim();
        }
    }

    /// Removes a client that needs no more events.
    pub(crate) fn leave(&mut self, client: ClientId) {
        if let Some(cursors) = &mut self.cursors {
            cursors.remove(&client);
            self.trim();
        }
    }

    fn trim(&mut self) {
        let needed = self.cursors.as_ref().map(|cursors| cursors.values().copied().min().unwrap_or(u64::MAX));
        while let Some(frame) = self.frames.front() {
            let drop = match needed {
                Some(needed) => frame.sequence_number < needed,
                None => self.bytes > self.capacity && self.frames.len() > 1,
            };
            if !drop {
                return;
            }
            self.bytes -= frame.bytes.len();
            self.frames.pop_front();
        }
    }
}
