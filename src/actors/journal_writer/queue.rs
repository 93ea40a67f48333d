//! The entries that wait to be committed. The queue outlives the writer: a new writer continues where the old one
//! ended.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Written,
    choice::{GroupBounds, choose},
};
use crate::protocol::ResponseId;
use crate::store::JournalEntry;

pub(super) type Reply = Box<dyn FnOnce(Written) + Send>;

type Waiting = (JournalEntry, Reply);

/// How long an entry that could not be committed alone waits the first time. The pause doubles with each try.
const FIRST_DEFERRAL: Duration = Duration::from_millis(250);

/// The longest wait: that soon after a lock on its row is released the entry is committed.
const LONGEST_DEFERRAL: Duration = Duration::from_secs(30);

/// The longest wait of a deletion that found no room.
const LONGEST_WITHOUT_ROOM: Duration = Duration::from_secs(2);

/// The entries of one transaction, with the callback of each.
pub(super) struct Group {
    pub(super) entries: Arc<Vec<JournalEntry>>,
    pub(super) replies: Vec<Reply>,
    /// How often it was put off.
    deferrals: u32,
}

/// A single entry that could not be committed alone: another program may hold a lock on its row.
struct Deferred {
    group: Group,
    /// What was submitted after it for the same response.
    later: Vec<Waiting>,
    /// When it is tried again; none: with the next group.
    due: Option<Instant>,
}

/// What becomes of a group that there was no room for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// It waits for room.
    Waits,
    /// Its deletions are tried again, fewer at once.
    Fewer,
    /// It was a deletion alone, of that response, and is put off.
    PutOff(ResponseId),
}

#[derive(Default)]
pub(super) struct Queue {
    /// The group that was submitted and is not known to be committed. A new writer submits it again, which is safe.
    in_flight: Option<Group>,
    /// Parts of a group that failed as a whole, still to be submitted.
    parts: VecDeque<Group>,
    waiting: VecDeque<Waiting>,
    /// Entries that the others don't wait for. They take turns with the groups of all others.
    deferred: VecDeque<Deferred>,
    /// Whether the last group was a deferred entry.
    was_deferred: bool,
    /// Whether the database did not answer the last commit.
    pub(super) away: bool,
    /// Since when entries are on their way that the database has not answered for.
    unanswered_since: Option<Instant>,
    /// Whether it had no room for the last commit. Then deletions, which make some, take turns with all else.
    pub(super) full: bool,
    /// While it is full: whether the last group was one of deletions.
    were_deletions: bool,
    /// While it is full: how many deletions found no room together, if any did.
    too_many_deletions: Option<usize>,
}

impl Queue {
    pub(super) fn push(&mut self, entry: JournalEntry, reply: Reply) {
        let response = entry.response();
        match self.deferred.iter_mut().find(|deferred| deferred.group.is_of(response)) {
            Some(deferred) => deferred.later.push((entry, reply)),
            None => self.waiting.push_back((entry, reply)),
        }
    }

    /// The entries to commit next: the group in flight once more, else the next group, which is then in flight.
    pub(super) fn take(&mut self, bounds: GroupBounds, now: Instant) -> Option<Arc<Vec<JournalEntry>>> {
        if self.in_flight.is_none() {
            self.in_flight = self.next_group(bounds, now);
        }
        let group = self.in_flight.as_ref()?;
        // An entry that was put off says nothing about the others.
        if !self.was_deferred {
            self.unanswered_since.get_or_insert(now);
        }
        Some(Arc::clone(&group.entries))
    }

    fn next_group(&mut self, bounds: GroupBounds, now: Instant) -> Option<Group> {
        let is_turn_of_deletions = self.full && !std::mem::take(&mut self.were_deletions);
        let is_turn_of_others = std::mem::take(&mut self.was_deferred);
        let deletions = if is_turn_of_deletions { self.next_deletions(bounds) } else { None };
        let full = self.full;
        let group = deletions
            .or_else(|| self.take_part(|part| !(full && part.only_deletes())))
            .or_else(|| if is_turn_of_others { self.gather(bounds) } else { None })
            .or_else(|| self.take_deferred(now))
            .or_else(|| self.gather(bounds))
            .or_else(|| self.parts.pop_front())?;
        Some(self.leave_too_many(group))
    }

    fn next_deletions(&mut self, bounds: GroupBounds) -> Option<Group> {
        self.take_part(Group::only_deletes).or_else(|| self.gather_deletions(bounds))
    }

    fn take_part(&mut self, is_wanted: impl Fn(&Group) -> bool) -> Option<Group> {
        let place = self.parts.iter().position(is_wanted)?;
        self.parts.remove(place)
    }

    /// Leaves as many of a group of deletions for later as would find no room with the others.
    fn leave_too_many(&mut self, mut group: Group) -> Group {
        let most = self.too_many_deletions.map_or(usize::MAX, |too_many| (too_many / 2).max(1));
        if group.only_deletes() && group.replies.len() > most {
            let (left, right) = group.split(most);
            self.parts.push_front(right);
            group = left;
        }
        group
    }

    /// Takes the first deferred entry that is due. What follows it of its response is next in the line behind it.
    fn take_deferred(&mut self, now: Instant) -> Option<Group> {
        let place = self.deferred.iter().position(|deferred| deferred.due.is_none_or(|due| due <= now))?;
        let Deferred { group, later, .. } = self.deferred.remove(place)?;
        for waiting in later.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
        self.was_deferred = true;
        Some(group)
    }

    /// When the first deferred entry is due, if there is one.
    pub(super) fn wakes_at(&self, now: Instant) -> Option<Instant> {
        self.deferred.iter().map(|deferred| deferred.due.unwrap_or(now)).min()
    }

    /// Puts the entry in flight, which is alone, behind those of all other responses, which it must not hold up. What
    /// follows it of its own response stays behind it. Returns its response.
    pub(super) fn defer(&mut self, now: Instant) -> Option<ResponseId> {
        let group = self.in_flight.take()?;
        self.put_off(group, now, LONGEST_DEFERRAL)
    }

    fn put_off(&mut self, mut group: Group, now: Instant, longest: Duration) -> Option<ResponseId> {
        self.unanswered_since = None;
        let response = group.entries.first()?.response();
        let pause = FIRST_DEFERRAL.saturating_mul(1 << group.deferrals.min(16)).min(longest);
        group.deferrals += 1;
        let (later, others) = self.waiting.drain(..).partition(|(entry, _)| entry.response() == response);
        self.waiting = others;
        self.deferred.push_back(Deferred { group, later: later.into(), due: Some(now + pause) });
        Some(response)
    }

    fn gather(&mut self, bounds: GroupBounds) -> Option<Group> {
        let earlier = self.responses_of_parts();
        let sizes = self.waiting.iter().map(|(entry, _)| (entry.response(), entry.content_bytes()));
        let mut chosen = choose(sizes, earlier, bounds).into_iter().peekable();
        let mut position = 0;
        let (taken, others) = self.waiting.drain(..).partition(|_| {
            let is_chosen = chosen.next_if_eq(&position).is_some();
            position += 1;
            is_chosen
        });
        self.waiting = others;
        Group::of(taken)
    }

    /// Notes that there was no room for the group in flight. Its deletions, which make room, are tried without the rest, and
    /// fewer at once if it has nothing else. One alone is put off: others may have room, and find out.
    pub(super) fn has_no_room(&mut self, now: Instant) -> NoRoom {
        let Some(group) = self.in_flight.take() else { return NoRoom::Waits };
        let entries = group.replies.len();
        if group.only_deletes() && entries == 1 {
            if self.parts.is_empty() && self.waiting.is_empty() {
                self.is_there();
            }
            self.were_deletions = self.full;
            return self.put_off(group, now, LONGEST_WITHOUT_ROOM).map_or(NoRoom::Waits, NoRoom::PutOff);
        }
        (self.away, self.full) = (true, true);
        if group.only_deletes() {
            self.too_many_deletions = Some(entries);
            self.parts.push_front(group);
            return NoRoom::Fewer;
        }
        if entries == 1 {
            // It keeps how often it was put off.
            self.parts.push_back(group);
        } else {
            self.parts.extend(group.deletions_and_rest());
        }
        NoRoom::Waits
    }

    fn is_there(&mut self) {
        (self.away, self.full, self.were_deletions, self.too_many_deletions) = (false, false, false, None);
    }

    fn responses_of_parts(&self) -> HashSet<ResponseId> {
        self.parts.iter().flat_map(|part| part.entries.iter()).map(JournalEntry::response).collect()
    }

    /// Deletions from among those that wait. Nothing else of their responses may come before them.
    fn gather_deletions(&mut self, bounds: GroupBounds) -> Option<Group> {
        let mut earlier = self.responses_of_parts();
        let mut deletions = 0;
        let (taken, others) = self.waiting.drain(..).partition(|(entry, _)| {
            let is_first = earlier.insert(entry.response());
            let is_taken = is_first && is_deletion(entry) && deletions < bounds.entries;
            deletions += usize::from(is_taken);
            is_taken
        });
        self.waiting = others;
        Group::of(taken)
    }

    /// Whether the group in flight makes room for others that wait for it.
    fn makes_room(&self) -> bool {
        let only_deletes = self.in_flight.as_ref().is_some_and(Group::only_deletes);
        self.full && only_deletes && !(self.parts.is_empty() && self.waiting.is_empty())
    }

    /// Removes the group in flight and returns its callbacks.
    pub(super) fn settle(&mut self) -> Vec<Reply> {
        self.unanswered_since = None;
        if self.makes_room() {
            self.were_deletions = true;
        } else if self.away {
            self.is_there();
            // They were not in anybody's way: the database was not there.
            self.deferred.iter_mut().for_each(|deferred| deferred.due = None);
        }
        self.in_flight.take().map(|group| group.replies).unwrap_or_default()
    }

    /// Whether the database has not answered for what is on its way for that long.
    pub(super) fn is_unanswered_for(&self, time: Duration, now: Instant) -> bool {
        self.unanswered_since.is_some_and(|since| now - since >= time)
    }

    /// How many entries are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.as_ref().map_or(0, |group| group.replies.len())
    }

    /// Splits the group in flight, which failed as a whole, into halves that are tried separately. True if it can't
    /// be split.
    pub(super) fn halve(&mut self) -> bool {
        let Some(group) = self.in_flight.take_if(|group| group.replies.len() > 1) else { return true };
        let middle = group.replies.len() / 2;
        let (left, right) = group.split(middle);
        // Behind other parts: the half that can be committed does not wait until the reason is found in the other one.
        self.parts.extend([left, right]);
        false
    }
}

fn is_deletion(entry: &JournalEntry) -> bool {
    matches!(entry, JournalEntry::Delete(_))
}

impl Group {
    /// A group of these, unless there are none.
    fn of(entries: VecDeque<Waiting>) -> Option<Self> {
        let (entries, replies): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        (!entries.is_empty()).then(|| Self { entries: Arc::new(entries), replies, deferrals: 0 })
    }

    /// Its first entries, that many, and the others.
    fn split(mut self, first: usize) -> (Self, Self) {
        let (left, right) = self.entries.split_at(first);
        let replies = self.replies.split_off(first);
        let right = Self { entries: Arc::new(right.to_vec()), replies, deferrals: 0 };
        let left = Self { entries: Arc::new(left.to_vec()), replies: self.replies, deferrals: 0 };
        (left, right)
    }

    fn only_deletes(&self) -> bool {
        self.entries.iter().all(is_deletion)
    }

    /// Its deletions and its other entries, as groups.
    fn deletions_and_rest(self) -> impl Iterator<Item = Self> {
        let entries = self.entries.iter().cloned().zip(self.replies);
        let (deletions, rest) = entries.partition(|(entry, _)| is_deletion(entry));
        [Self::of(deletions), Self::of(rest)].into_iter().flatten()
    }

    /// Whether it has an entry of that response.
    fn is_of(&self, response: ResponseId) -> bool {
        self.entries.iter().any(|entry| entry.response() == response)
    }
}
