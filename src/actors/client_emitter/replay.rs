//! Reading a response from its beginning: a fold of one reader's own.

use std::collections::VecDeque;

use crate::domain::{Fact, Frame, Transcript};
use crate::protocol::ResponseId;

/// A reader's own fold. It is kept once it is there: the facts are folded at most once per reader.
#[derive(Debug)]
pub(super) struct Replay {
    transcript: Transcript,
    /// Read and not folded yet: facts are folded as their events are wanted, so that no turn takes long.
    facts: VecDeque<Fact>,
    frames: VecDeque<Frame>,
}

impl Replay {
    pub(super) fn new(id: ResponseId) -> Self {
        Self { transcript: Transcript::new(id), facts: VecDeque::new(), frames: VecDeque::new() }
    }

    /// The number of the first fact that is not folded yet.
    pub(super) fn position(&self) -> u64 {
        self.transcript.facts()
    }

    /// Takes the next facts.
    pub(super) fn extend(&mut self, facts: Vec<Fact>) {
        self.facts.extend(facts);
    }

    /// The event at `cursor`, if the facts that were read make it.
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
