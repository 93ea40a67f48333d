//! Reading a response from its beginning, with a fold of the client's own.

use std::collections::VecDeque;

use crate::domain::{Fact, Frame, RecordedEnding, Transcript};
use crate::journal::LogSlice;
use crate::protocol::ResponseId;

/// A fold that belongs to one client. It is kept between reads, so that the facts are folded at most once per client.
#[derive(Debug)]
pub(super) struct Replay {
    transcript: Transcript,
    /// Facts that were read and are not folded yet. They are folded when their events are wanted, so that the actor
    /// never works for long without a break.
    facts: VecDeque<Fact>,
    frames: VecDeque<Frame>,
    /// How many segments of the log are looked for at a time.
    segments: usize,
}

impl Replay {
    pub(super) fn new(id: ResponseId) -> Self {
        Self { transcript: Transcript::new(id), facts: VecDeque::new(), frames: VecDeque::new(), segments: 1 }
    }

    /// The number of the first fact that is not folded yet.
    pub(super) fn position(&self) -> u64 {
        self.transcript.facts()
    }

    /// How many segments to look for next.
    pub(super) fn segments(&self) -> usize {
        self.segments
    }

    /// Takes the next facts.
    pub(super) fn extend(&mut self, LogSlice { facts, next_segments }: LogSlice) {
        self.facts.extend(facts);
        self.segments = next_segments;
    }

    /// Takes how the response ended, after all its facts. Returns whether that is new: the log itself may say so.
    pub(super) fn end_as(&mut self, recorded: RecordedEnding) -> bool {
        let is_new = self.transcript.ended().is_none() && self.facts.is_empty();
        if is_new {
            let mut events = Vec::new();
            self.transcript.end_as(recorded, &mut events);
            self.frames.extend(events.iter().map(Frame::encode));
        }
        is_new
    }

    /// The event at `cursor`, if the facts that were read produce it.
    pub(super) fn frame(&mut self, cursor: u64) -> Option<Frame> {
        loop {
            while self.frames.pop_front_if(|frame| frame.sequence_number < cursor).is_some() {}
            if let Some(frame) = self.frames.front() {
                return Some(frame.clone());
            }
            let mut events = Vec::new();
            self.transcript.apply(self.facts.pop_front()?, &mut events);
            let wanted = events.iter().filter(|event| event.sequence_number() >= cursor);
            self.frames.extend(wanted.map(Frame::encode));
        }
    }

    /// Whether the terminal event was folded and lies before `cursor`.
    pub(super) fn is_over(&self, cursor: u64) -> bool {
        self.transcript.ended().is_some() && cursor >= self.transcript.next_sequence()
    }
}
