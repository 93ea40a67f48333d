//! The entries that wait to be committed. The queue outlives the writer: a new writer continues where the old one
//! ended.

use std::{collections::VecDeque, sync::Arc};

use super::Written;
use crate::store::JournalEntry;

/// The most entries that one transaction takes.
const GROUP: usize = 1_024;

pub(super) type Reply = Box<dyn FnOnce(Written) + Send>;

/// The entries of one transaction, with the callback of each.
pub(super) struct Group {
    pub(super) entries: Arc<Vec<JournalEntry>>,
    pub(super) replies: Vec<Reply>,
}

#[derive(Default)]
pub(super) struct Queue {
    /// The group that was submitted and is not known to be committed. A new writer submits it again, which is safe.
    in_flight: Option<Group>,
    /// Parts of a group that failed as a whole, still to be submitted.
    parts: VecDeque<Group>,
    waiting: (Vec<JournalEntry>, Vec<Reply>),
    /// Whether the database did not answer the last commit.
    pub(super) away: bool,
}

impl Queue {
    pub(super) fn push(&mut self, entry: JournalEntry, reply: Reply) {
        self.waiting.0.push(entry);
        self.waiting.1.push(reply);
    }

    /// The entries to commit next: the group in flight once more, else the next group, which is then in flight.
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

    /// Removes the group in flight and returns its callbacks.
    pub(super) fn settle(&mut self) -> Vec<Reply> {
        self.away = false;
        self.in_flight.take().map(|group| group.replies).unwrap_or_default()
    }

    /// Splits the group in flight, which failed as a whole, into halves that are tried separately. True if it can't
    /// be split.
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
