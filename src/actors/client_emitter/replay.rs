//! Reading a response from its log: a fold of one reader's own.

use std::collections::VecDeque;

use crate::domain::{Fact, Frame, Transcript};
use crate::journal::Log;
use crate::protocol::ResponseId;

/// A reader's own fold of the log. It is kept once it is there: the log is folded at most once per reader.
#[derive(Debug)]
pub(super) struct Replay {
    log: Log,
    transcript: Transcript,
    frames: VecDeque<Frame>,
}

impl Replay {
    pub(super) fn new(log: Log, id: ResponseId) -> Self {
        Self { log, transcript: Transcript::new(id), frames: VecDeque::new() }
    }

    /// The log, and the number of the first fact that is not folded yet.
    pub(super) fn position(&self) -> (Log, u64) {
        (self.log.clone(), self.transcript.facts())
    }

    /// Folds the next facts; events from `cursor` on are kept.
    pub(super) fn fold(&mut self, facts: Vec<Fact>, cursor: u64) {
        let mut events = Vec::new();
        for fact in facts {
            self.transcript.apply(fact, &mut events);
        }
        let wanted = events.iter().filter(|event| event.sequence_number() >= cursor);
        self.frames.extend(wanted.map(Frame::encode));
    }

    /// The event at `cursor`, if it is folded already.
    pub(super) fn frame(&mut self, cursor: u64) -> Option<Frame> {
        while self.frames.front().is_some_and(|frame| frame.sequence_number < cursor) {
            self.frames.pop_front();
        }
        self.frames.front().cloned()
    }

    /// Whether the terminal event was folded and lies before `cursor`.
    pub(super) fn is_over(&self, cursor: u64) -> bool {
        self.transcript.ended().is_some() && cursor >= self.transcript.next_sequence()
    }
}
