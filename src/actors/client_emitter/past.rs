//! Where events can be read that are no longer in the frame buffer.

use std::{cell::RefCell, fmt, rc::Rc};

use crate::domain::{Fact, RecordedEnding};
use crate::journal::{CodecError, Log, LogError, LogSlice, decode, encode};

/// Where an emitter reads events that have left the frame buffer or were never in it.
#[derive(Debug, Clone)]
pub(crate) enum Past {
    /// The log of a stored response.
    Log(Log),
    /// The facts of a running response that is not stored.
    Memory(Rc<RefCell<Memory>>),
}

impl Past {
    /// Adds the next fact to the memory; a log is written by the accumulator.
    pub(crate) fn remember(&self, fact: &Fact) -> Result<(), CodecError> {
        match self {
            Self::Log(_) => Ok(()),
            Self::Memory(memory) => memory.borrow_mut().push(fact),
        }
    }

    /// Makes all facts below this number visible.
    pub(crate) fn commit(&self, facts: u64) {
        match self {
            Self::Log(_) => {}
            Self::Memory(memory) => memory.borrow_mut().committed = facts,
        }
    }

    /// How the response ended, where its log may not say so.
    pub(super) fn recorded_ending(&self) -> Option<&RecordedEnding> {
        match self {
            Self::Log(log) => log.recorded_ending(),
            Self::Memory(_) => None,
        }
    }

    /// The next facts from number `from` on, out of at most so many segments; empty at the end.
    pub(super) async fn slice(&self, from: u64, segments: usize) -> Result<LogSlice, LogError> {
        match self {
            Self::Log(log) => log.slice(from, segments).await,
            Self::Memory(memory) => Ok(LogSlice { facts: memory.borrow().page(from)?, next_segments: segments }),
        }
    }
}

/// About how many bytes one piece holds; a piece is read at once.
const PIECE: usize = 16 * 1024;

/// The encoded facts of a running response that is not stored, for clients that join later by its idempotency key.
#[derive(Default)]
pub(crate) struct Memory {
    /// The pieces, each with the number of its first fact.
    pieces: Vec<(u64, Vec<u8>)>,
    facts: u64,
    /// The number of the first fact that is not visible yet.
    committed: u64,
}

impl Memory {
    fn push(&mut self, fact: &Fact) -> Result<(), CodecError> {
        let full = self.pieces.last().is_none_or(|(_, bytes)| bytes.len() >= PIECE);
        if full {
            self.pieces.push((self.facts, Vec::new()));
        }
        if let Some((_, bytes)) = self.pieces.last_mut() {
            encode(fact, bytes)?;
        }
        self.facts += 1;
        Ok(())
    }

    fn page(&self, from: u64) -> Result<Vec<Fact>, CodecError> {
        let after = self.pieces.partition_point(|(first, _)| *first <= from);
        let piece = after.checked_sub(1).and_then(|piece| self.pieces.get(piece));
        let Some((first, bytes)) = piece.filter(|_| from < self.committed) else { return Ok(Vec::new()) };
        let numbered = (*first..self.committed).zip(decode(bytes)?);
        Ok(numbered.filter(|(number, _)| *number >= from).map(|(_, fact)| fact).collect())
    }
}

// The facts are content.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("facts", &self.facts).field("committed", &self.committed).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::{Memory, PIECE};
    use crate::domain::{Attempt, Fact, Timestamp};

    fn fact(number: u64) -> Fact {
        // Large enough that a few fill a piece.
        let provider = format!("{number}{}", "x".repeat(PIECE / 3));
        let at = Timestamp::from_micros(1);
        Fact::AttemptOpening { attempt: Attempt::FIRST, at, provider, model: String::new() }
    }

    fn remembered(facts: u64) -> Memory {
        let mut memory = Memory::default();
        (0..facts).for_each(|number| memory.push(&fact(number)).unwrap());
        memory
    }

    #[test]
    fn page_after_page_it_gives_back_what_was_put_in() {
        let mut memory = remembered(20);
        memory.committed = 20;
        for begin in 0..20 {
            let mut next = begin;
            loop {
                let page = memory.page(next).unwrap();
                if page.is_empty() {
                    break;
                }
                assert!(page.len() < 10, "a page is no more than a piece");
                for read in page {
                    assert_eq!(read, fact(next));
                    next += 1;
                }
            }
            assert_eq!(next, 20);
        }
    }

    #[test]
    fn nobody_sees_what_is_not_committed() {
        let mut memory = remembered(5);
        assert!(memory.page(0).unwrap().is_empty());
        memory.committed = 2;
        assert_eq!(memory.page(1).unwrap(), [fact(1)]);
        assert!(memory.page(2).unwrap().is_empty());
    }

    #[test]
    fn its_debug_output_has_no_content() {
        assert!(!format!("{:?}", remembered(1)).contains('x'));
    }
}
