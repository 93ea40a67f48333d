//! The entries that wait to be committed. The queue outlives the writer: a new writer continues where the old one
//! ended.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use super::Written;
use crate::store::JournalEntry;

pub(super) type Reply = Box<dyn FnOnce(Written) + Send>;

/// The entries of one transaction, with the callback of each.
pub(super) struct Group {
    pub(super) entries: Arc<Vec<JournalEntry>>,
    pub(super) replies: Vec<Reply>,
}

/// The most that a group may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupBounds {
    pub(super) entries: usize,
    /// Of what the entries hold; one entry may have more.
    pub(super) bytes: usize,
}

#[derive(Default)]
pub(super) struct Queue {
    /// The group that was submitted and is not known to be committed. A new writer submits it again, which is safe.
    in_flight: Option<Group>,
    /// Parts of a group that failed as a whole, still to be submitted.
    parts: VecDeque<Group>,
    waiting: VecDeque<(JournalEntry, Reply)>,
    /// Whether the database did not answer the last commit.
    pub(super) away: bool,
}

impl Queue {
    pub(super) fn push(&mut self, entry: JournalEntry, reply: Reply) {
        self.waiting.push_back((entry, reply));
    }

    /// The entries to commit next: the group in flight once more, else the next group, which is then in flight.
    pub(super) fn take(&mut self, bounds: GroupBounds) -> Option<Arc<Vec<JournalEntry>>> {
        if self.in_flight.is_none() {
            self.in_flight = self.parts.pop_front().or_else(|| self.gather(bounds));
        }
        self.in_flight.as_ref().map(|group| Arc::clone(&group.entries))
    }

    /// Takes entries from the front until one would be too much, or is the second one of its response: the store
    /// writes entries of different responses at once.
    fn gather(&mut self, bounds: GroupBounds) -> Option<Group> {
        let (mut responses, mut bytes) = (HashSet::new(), 0);
        let fits = |(entry, _): &&(JournalEntry, Reply)| {
            bytes += entry.content_bytes();
            let has_room = responses.len() < bounds.entries && bytes <= bounds.bytes;
            (has_room || responses.is_empty()) && responses.insert(entry.response())
        };
        let count = self.waiting.iter().take_while(fits).count();
        let (entries, replies) = self.waiting.drain(..count).unzip();
        (count > 0).then_some(Group { entries: Arc::new(entries), replies })
    }

    /// Removes the group in flight and returns its callbacks.
    pub(super) fn settle(&mut self) -> Vec<Reply> {
        self.away = false;
        self.in_flight.take().map(|group| group.replies).unwrap_or_default()
    }

    /// How many entries are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.as_ref().map_or(0, |group| group.replies.len())
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
