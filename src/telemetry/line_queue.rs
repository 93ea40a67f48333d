//! Lines on their way to an output that may be slow: in order, bounded, and with their gaps counted.

use std::collections::VecDeque;

/// What is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum QueuedText {
    /// A line, with its line end.
    Line(Vec<u8>),
    /// So many lines had no room here.
    Gap(u64),
}

/// Lines that wait to be written. One that has no room is dropped and counted, and the gap is told in its place.
#[derive(Debug)]
pub(super) struct LineQueue {
    entries: VecDeque<QueuedText>,
    /// The bytes of the lines that wait.
    bytes: usize,
    most_bytes: usize,
    /// How many lines were dropped behind the last entry.
    dropped: u64,
}

impl LineQueue {
    pub(super) const fn new(most_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, most_bytes, dropped: 0 }
    }

    pub(super) const fn set_most_bytes(&mut self, most_bytes: usize) {
        self.most_bytes = most_bytes;
    }

    /// Takes a line, if it has room. Says whether it had.
    pub(super) fn push(&mut self, line: &[u8]) -> bool {
        if self.bytes.saturating_add(line.len()) > self.most_bytes {
            self.dropped += 1;
            return false;
        }
        self.close_gap();
        self.bytes += line.len();
        self.entries.push_back(QueuedText::Line(line.to_vec()));
        true
    }

    /// Counts lines that were taken out and could not be written.
    pub(super) const fn lose(&mut self, lines: u64) {
        self.dropped += lines;
    }

    /// The oldest entries, up to about that many bytes, and at least one if there is one. A gap that nothing follows yet is
    /// the last one.
    pub(super) fn take(&mut self, bytes: usize) -> Vec<QueuedText> {
        let mut taken = Vec::new();
        let mut length = 0;
        while length < bytes
            && let Some(entry) = self.entries.pop_front()
        {
            if let QueuedText::Line(line) = &entry {
                length += line.len();
            }
            taken.push(entry);
        }
        self.bytes -= length;
        if self.entries.is_empty() && self.dropped > 0 {
            taken.push(QueuedText::Gap(std::mem::take(&mut self.dropped)));
        }
        taken
    }

    /// Whether no line waits; a gap may.
    pub(super) fn has_no_line(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.dropped == 0
    }

    fn close_gap(&mut self) {
        if self.dropped > 0 {
            self.entries.push_back(QueuedText::Gap(std::mem::take(&mut self.dropped)));
        }
    }
}

#[cfg(test)]
mod tests;
