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
/// A stored response keeps the latest `capacity` bytes, and what became durable last whatever its size: an emitter that is
/// further behind reads the log. One that is not stored has no log and keeps every event until all its emitters have
/// passed it.
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

    /// Adds events that became durable together. Those before them make room; they themselves stay until others come, or
    /// who keeps up would find the first of them gone and fold the log for them.
    pub(crate) fn publish(&mut self, frames: impl IntoIterator<Item = Frame>) {
        self.make_room();
        for frame in frames {
            self.next_sequence = frame.sequence_number + 1;
            self.bytes += frame.bytes.len();
            self.frames.push_back(frame);
        }
        self.drop_passed();
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
            self.drop_passed();
        }
    }

    /// Removes a client that needs no more events.
    pub(crate) fn leave(&mut self, client: ClientId) {
        if let Some(cursors) = &mut self.cursors {
            cursors.remove(&client);
            self.drop_passed();
        }
    }

    /// Drops what is above the capacity, if the log has it.
    fn make_room(&mut self) {
        while self.cursors.is_none() && self.bytes > self.capacity {
            self.drop_oldest();
        }
    }

    /// Drops what all emitters have passed, if nothing else has it.
    fn drop_passed(&mut self) {
        let Some(cursors) = &self.cursors else { return };
        let needed = cursors.values().copied().min().unwrap_or(u64::MAX);
        while self.frames.front().is_some_and(|frame| frame.sequence_number < needed) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let dropped = self.frames.pop_front().map_or(0, |frame| frame.bytes.len());
        self.bytes -= dropped;
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameBuffer, FrameLookup};
    use crate::domain::Frame;

    fn frames(numbers: std::ops::Range<u64>, bytes: usize) -> Vec<Frame> {
        let frame = |sequence_number| Frame { sequence_number, is_delta: true, bytes: vec![0; bytes].into() };
        numbers.map(frame).collect()
    }

    #[test]
    fn what_became_durable_together_stays_until_more_comes_however_large_it_is() {
        let mut buffer = FrameBuffer::new(100, true);
        buffer.publish(frames(0..3, 40));
        buffer.publish(frames(3..6, 1_000));
        let has = |buffer: &FrameBuffer, cursor| matches!(buffer.look(cursor), FrameLookup::Frame(_));
        assert!((3..6).all(|cursor| has(&buffer, cursor)), "who was at the third event misses none");
        assert!(
            matches!(buffer.look(0), FrameLookup::Behind) && has(&buffer, 1),
            "the capacity holds for earlier ones"
        );
        buffer.publish(frames(6..7, 1));
        assert!(matches!(buffer.look(5), FrameLookup::Behind) && has(&buffer, 6));
    }
}
