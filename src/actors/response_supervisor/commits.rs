//! The way of facts to clients: folded, committed, emitted.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::actors::{
    client_emitter::{FrameBuffer, Memory, Past},
    node::Node,
    persistence_accumulator::{SharedWriteBuffer, WriteBuffer},
    provider_reader::BatchTurn,
};
use crate::domain::{Frame, RecordedFact, ResponseOptions, RunPlan, Transcript};
use crate::journal::{CodecError, Log};
use crate::vault::ResponseKey;

/// The facts and events of a response between its fold, the database and its clients.
#[derive(Debug)]
pub(super) struct Commits {
    pub(super) write_buffer: SharedWriteBuffer,
    pub(super) frame_buffer: Rc<RefCell<FrameBuffer>>,
    /// Where clients find events that have left the frame buffer; none if no client can join the response later.
    pub(super) past: Option<Past>,
    /// Encoded events that may not be emitted yet, each with the number of facts that must be durable first.
    frames: VecDeque<(u64, Frame)>,
    /// Credits to return, each with the number of facts that must be durable first.
    credit: VecDeque<(u64, usize)>,
    /// The turns of what was read, each with the number of facts that must be durable first.
    turns: VecDeque<(u64, BatchTurn)>,
    /// Whether slow clients hold back credit: so for a response without a log, because nothing else keeps events that
    /// they have not got.
    is_held_back: bool,
    facts: u64,
    durable: u64,
    /// Since when facts have been waiting to become durable.
    waiting_since: Option<Instant>,
}

impl Commits {
    /// The commits of a response whose facts so far, those of the transcript, are all durable.
    pub(super) fn new(
        settings: &ResponseOptions,
        write_buffer: WriteBuffer,
        past: Option<Past>,
        transcript: &Transcript,
    ) -> Self {
        let is_stored = matches!(past, Some(Past::Log(_)));
        let mut frame_buffer = FrameBuffer::new(settings.frame_buffer_bytes, is_stored);
        frame_buffer.begin_at(transcript.next_sequence());
        Self {
            write_buffer: Rc::new(RefCell::new(write_buffer)),
            frame_buffer: Rc::new(RefCell::new(frame_buffer)),
            past,
            frames: VecDeque::new(),
            credit: VecDeque::new(),
            turns: VecDeque::new(),
            is_held_back: !is_stored,
            facts: transcript.facts(),
            durable: transcript.facts(),
            waiting_since: None,
        }
    }

    /// Takes facts that must become durable, and the events that they produced.
    ///
    /// # Errors
    /// If a fact can't be encoded.
    pub(super) fn push(&mut self, recorded: Vec<RecordedFact>) -> Result<(), CodecError> {
        for RecordedFact { facts, fact, events } in recorded {
            self.write_buffer.borrow_mut().push(&fact)?;
            if let Some(past) = &self.past {
                past.remember(&fact)?;
            }
            self.frames.extend(events.iter().map(|event| (facts, Frame::encode(event))));
            self.facts = facts;
        }
        self.waiting_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Publishes the events that need no more facts than those below this number. Returns whether there were any.
    pub(super) fn publish(&mut self, facts: u64) -> bool {
        self.durable = self.durable.max(facts);
        if let Some(past) = &self.past {
            past.commit(self.durable);
        }
        while self.turns.pop_front_if(|(needs, _)| *needs <= self.durable).is_some() {}
        let all = self.durable >= self.facts;
        self.waiting_since = (!all).then(Instant::now);
        let ready = self.frames.iter().take_while(|(needs, _)| *needs <= facts).count();
        if ready > 0 {
            self.frame_buffer.borrow_mut().publish(self.frames.drain(..ready).map(|(_, frame)| frame));
        }
        ready > 0
    }

    /// Notes that a read has spent that much credit. Its turn ends when its facts are durable.
    pub(super) fn spend_credit(&mut self, cost: usize, mut turn: Option<BatchTurn>) {
        if let Some(turn) = &mut turn {
            turn.folded();
        }
        self.credit.push_back((self.facts, cost));
        self.turns.extend(turn.filter(|_| self.durable < self.facts).map(|turn| (self.facts, turn)));
    }

    /// The credit to return for durable facts. Without a log slow clients hold it back.
    pub(super) fn due_credit(&mut self) -> usize {
        if self.is_held_back && self.frame_buffer.borrow().is_full() {
            return 0;
        }
        let mut bytes = 0;
        let durable = self.durable;
        while let Some((_, cost)) = self.credit.pop_front_if(|(needs, _)| *needs <= durable) {
            bytes += cost;
        }
        bytes
    }

    /// For how long facts have been waiting to become durable.
    pub(super) fn waited(&self) -> Option<Duration> {
        self.waiting_since.map(|since| since.elapsed())
    }
}

/// Where clients find events of a response that have left the frame buffer.
pub(super) fn past(node: &Node, plan: &RunPlan, key: Option<ResponseKey>) -> Option<Past> {
    match key {
        Some(key) => {
            let log = Log::new(Arc::clone(&node.store.responses), key, plan.id).for_user(&node.logs);
            Some(Past::Log(log))
        }
        None => plan.idempotency.is_some().then(|| Past::Memory(Rc::new(RefCell::new(Memory::default())))),
    }
}

#[cfg(test)]
mod tests;
