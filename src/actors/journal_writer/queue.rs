//! What waits to be committed. Outlives the writer: a new one goes on where the old one ended.

use std::{collections::VecDeque, sync::Arc};

use super::Written;
use crate::store::JournalEntry;

/// The most entries that one transaction takes.
const GROUP: usize = 1_024;

pub(super) type Reply = Box<dyn FnOnce(Written) + Send>;

/// Entries of one transaction, and who waits for each.
pub(super) struct Group {
    pub(super) entries: Arc<Vec<JournalEntry>>,
    pub(super) replies: Vec<Reply>,
}

#[derive(Default)]
pub(super) struct Queue {
    /// Submitted and not known to be committed: submitted again by a new writer, which is safe.
    in_flight: Option<Group>,
    /// Parts of a group that failed as a whole.
    parts: VecDeque<Group>,
    waiting: (Vec<JournalEntry>, Vec<Reply>),
    /// The database did not answer the last time it was asked.
    pub(super) away: bool,
}

impl Queue {
    pub(super) fn push(&mut self, entry: JournalEntry, reply: Reply) {
        self.waiting.0.push(entry);
        self.waiting.1.push(reply);
    }

    /// The entries to commit next: those in flight again, else the next group, which is then in flight.
    pub(super) fn take(&mut self) -> Option<Arc<Vec<JournalEntry>>> {
        if self.in_flight.is_none() {
            self.in_flight = self.parts.pop_front().or_else(|| self.gather());
        }
        self.in_flight.as_ref().map(|group| Arc::clone(&group.entries))
    }

    fn gather(&mut self) -> Option<Group> {
        let (entries, replies) = &mut self.waiting;
        let count = entries.len().min(GROUP);
        if count == 0 {
            return None;
        }
        let rest = (entries.split_off(count), replies.split_off(count));
        let (entries, replies) = std::mem::replace(&mut self.waiting, rest);
        Some(Group { entries: Arc::new(entries), replies })
    }

    /// The group in flight is settled.
    pub(super) fn settle(&mut self) -> Vec<Reply> {
        self.away = false;
        self.in_flight.take().map(|group| group.replies).unwrap_or_default()
    }

    /// The group in flight failed as a whole: its halves are tried alone. True if it can't be halved.
    pub(super) fn halve(&mut self) -> bool {
        let Some(mut group) = self.in_flight.take_if(|group| group.replies.len() > 1) else { return true };
        let middle = group.replies.len() / 2;
        let (left, right) = group.entries.split_at(middle);
        let replies = group.replies.split_off(middle);
        self.parts.push_front(Group { entries: Arc::new(right.to_vec()), replies });
        self.parts.push_front(Group { entries: Arc::new(left.to_vec()), replies: group.replies });
        false
    }
}
