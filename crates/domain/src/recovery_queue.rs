//! Which of the responses that lost their owner is recovered next.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use antiphon_protocol::ResponseId;

use crate::{SetAsideReason, SettleReason, Timestamp, backoff::pause_after};
use entry::{Entry, Mark, Place, SetAside};

mod entry;

/// How many responses are tried at the same time.
const MOST_UNDER_WAY: usize = 32;

/// How soon a response that somebody waits for is tried again.
const PAUSE_WHEN_WANTED: Duration = Duration::from_secs(1);

/// How long all tries pause when the database is not available.
const PAUSE_WHEN_AWAY: Duration = Duration::from_secs(1);

/// The responses of a node that lost their owner: which are being tried, which wait for their next try, which are set
/// aside.
///
/// A response has a place only while it is being tried, so that those that fail hold up nobody. One that failed
/// several times in a row, or for a reason that no try of this program changes, is set aside: it is still tried, with
/// the same growing pauses, but nobody waits for it. While the database is not available nothing is tried, and that is
/// no failure of any response.
///
/// Times are those since a fixed moment of the process, by a clock that never goes back.
#[derive(Debug, Default)]
pub struct RecoveryQueue {
    entries: HashMap<ResponseId, Entry>,
    /// The waiting ones, by the time of their next try.
    waiting: BTreeSet<(Duration, ResponseId)>,
    under_way: usize,
    /// How many were never tried and are not set aside.
    untried: usize,
    /// Until when nothing is tried, because the database is not available.
    away_until: Option<Duration>,
    /// How often the database has answered a try or a sweep.
    answers: u64,
    first_sweep: FirstSweep,
    mark_writes: MarkWrites,
}

/// The writing of marks: one at a time, with growing pauses while it fails.
#[derive(Debug, Default)]
struct MarkWrites {
    under_way: bool,
    failures: u32,
    not_before: Duration,
}

/// How far the first look at everything that earlier processes left behind is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum FirstSweep {
    /// Not all of it was found yet.
    #[default]
    Finding,
    /// All was found, and some of it was never tried.
    Trying,
    Over,
}

/// A response whose owner is gone, as the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftBehind {
    /// The response.
    pub id: ResponseId,
    /// Why it was set aside, if it was.
    pub set_aside: Option<SetAsideReason>,
    /// When somebody last asked for another try, if it is set aside.
    pub retry_wanted_at: Option<Timestamp>,
}

/// What of a sweep's findings is not known yet.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NewlyFound {
    /// How many responses were not here before.
    pub added: usize,
    /// Those that are set aside and that somebody wants to be tried again.
    pub retried: Vec<ResponseId>,
}

/// What a try that found the database not available means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryUnanswered {
    /// The database is away, and all tries pause.
    Away {
        /// Whether that is new.
        is_new: bool,
    },
    /// The database answers others: this response failed.
    Failed {
        /// The reason, if the response is set aside by it.
        set_aside: Option<SetAsideReason>,
    },
}

/// A try to recover a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryTry {
    /// The response.
    pub id: ResponseId,
    /// Why it is ended, if it can't be resumed.
    pub reason: SettleReason,
    /// What its ending consists of.
    pub ending: EndingForm,
}

/// What of an ending is written beside status and terminal facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndingForm {
    /// Text and items of the output, too.
    Whole,
    /// The same, or nothing else where the database refuses that: it has done so for minutes. All output can still be
    /// read from the log.
    WholeOrMinimal,
}

impl RecoveryQueue {
    /// Makes an empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a response that lost its owner and that somebody may wait for. One that is there already is tried again
    /// soon, and if a cancel is what is wanted, it ends so.
    pub fn add(&mut self, id: ResponseId, reason: SettleReason, now: Duration) {
        if !self.entries.contains_key(&id) {
            self.insert(LeftBehind { id, set_aside: None, retry_wanted_at: None }, reason, now);
        }
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.is_of_this_process |= matches!(reason, SettleReason::SupervisorFailed | SettleReason::FailedUnannounced);
        if reason == SettleReason::Cancelled {
            entry.reason = reason;
        }
        if let Place::Waiting { due, last } = entry.place {
            let soon = due.min(last.map_or(now, |last| last + PAUSE_WHEN_WANTED));
            self.set_due(id, soon);
        }
    }

    /// Takes what a sweep found; `is_all` says whether nothing else was left behind that is not set aside. One that
    /// somebody wants to be tried again is, at once, as if for the first time.
    pub fn found(&mut self, orphans: &[LeftBehind], is_all: bool, now: Duration) -> NewlyFound {
        let mut new = NewlyFound::default();
        self.answers += 1;
        for orphan in orphans {
            if !self.entries.contains_key(&orphan.id) {
                self.insert(*orphan, SettleReason::NodeLost, now);
                new.added += 1;
            } else if self
                .entries
                .get_mut(&orphan.id)
                .is_some_and(|entry| entry.is_wanted_again(orphan.retry_wanted_at))
            {
                self.set_due(orphan.id, now);
                new.retried.push(orphan.id);
            }
        }
        if is_all && self.first_sweep == FirstSweep::Finding {
            self.first_sweep = FirstSweep::Trying;
        }
        self.review_sweep();
        new
    }

    /// The next response to try; it has a place until its result is known.
    pub fn next_try(&mut self, now: Duration) -> Option<RecoveryTry> {
        if self.under_way >= MOST_UNDER_WAY || self.away_until.is_some_and(|until| now < until) {
            return None;
        }
        let (_, id) = self.waiting.first().copied().filter(|(due, _)| *due <= now)?;
        self.waiting.pop_first();
        let entry = self.entries.get_mut(&id)?;
        entry.place = Place::UnderWay;
        self.under_way += 1;
        let ending = entry.ending(now);
        Some(RecoveryTry { id, reason: entry.reason, ending })
    }

    /// When the next response is due; none while no response waits, or while there is no place for one.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Duration> {
        if self.under_way >= MOST_UNDER_WAY {
            return None;
        }
        let (due, _) = self.waiting.first()?;
        Some(self.away_until.map_or(*due, |until| until.max(*due)))
    }

    /// Takes out a response that has its ending, runs, or belongs to somebody else. Returns why it was set aside, if
    /// it was.
    pub fn remove(&mut self, id: ResponseId) -> Option<SetAsideReason> {
        self.answered();
        let entry = self.entries.remove(&id)?;
        self.leave_place(id, &entry);
        self.untried -= usize::from(entry.is_untried());
        self.review_sweep();
        entry.set_aside.map(|set_aside| set_aside.reason)
    }

    /// Takes note of a failed try. Returns the reason if the response is set aside by it, or for another reason than
    /// before.
    pub fn failed(&mut self, id: ResponseId, reason: SetAsideReason, now: Duration) -> Option<SetAsideReason> {
        self.answered();
        self.fail(id, reason, now)
    }

    /// Takes note that a try found the database not available. Where that happens to one response again and again while
    /// the database answers others, it is a failure of that response: a damaged page, a log that takes too long.
    pub fn unanswered(&mut self, id: ResponseId, now: Duration) -> TryUnanswered {
        let Some(entry) = self.entries.get_mut(&id) else { return TryUnanswered::Failed { set_aside: None } };
        if entry.is_alone_unanswered(self.answers) {
            return TryUnanswered::Failed { set_aside: self.fail(id, SetAsideReason::RowUnreadable, now) };
        }
        TryUnanswered::Away { is_new: self.postponed(id, now) }
    }

    /// Takes note that a try was not made, for a reason that holds for all: all pause. Returns whether that is new.
    pub fn postponed(&mut self, id: ResponseId, now: Duration) -> bool {
        self.wait(id, now, None);
        self.away_until.replace(now + PAUSE_WHEN_AWAY).is_none()
    }

    /// Takes note that a try could not go on for a reason that is neither the response's nor the database's: it is
    /// tried again soon, for the same reason as before.
    pub fn put_off(&mut self, id: ResponseId, now: Duration) {
        self.answered();
        self.wait(id, now + PAUSE_WHEN_WANTED, Some(now));
    }

    /// At most `limit` responses that are set aside and of which the database does not say so yet, and the reasons: they
    /// are to be marked at once. None until the result of the last such write is known, and for a while if it failed.
    pub fn next_marks(&mut self, limit: usize, now: Duration) -> Vec<(ResponseId, SetAsideReason)> {
        if self.mark_writes.under_way || now < self.mark_writes.not_before {
            return Vec::new();
        }
        let unmarked = |(id, entry): (&ResponseId, &Entry)| {
            let SetAside { reason, mark } = entry.set_aside?;
            (mark != Mark::Written && entry.waits()).then_some((*id, reason))
        };
        let marks: Vec<_> = self.entries.iter().filter_map(unmarked).take(limit).collect();
        self.mark_writes.under_way = !marks.is_empty();
        marks
    }

    /// Takes note that no mark could be written. Returns whether that is new.
    pub fn marking_failed(&mut self, now: Duration) -> bool {
        let failures = self.mark_writes.failures.saturating_add(1);
        self.mark_writes = MarkWrites { under_way: false, failures, not_before: now + pause_after(failures) };
        failures == 1
    }

    /// Takes note of the answer of the database, which was to mark these: whether it did. Returns those that it did not
    /// mark and that are not being tried: they have ended, or somebody else has them.
    pub fn marked(&mut self, answers: impl IntoIterator<Item = (ResponseId, bool)>) -> Vec<ResponseId> {
        self.mark_writes = MarkWrites::default();
        let mut refused = Vec::new();
        for (id, is_marked) in answers {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let waits = entry.waits();
            match &mut entry.set_aside {
                Some(set_aside) if is_marked => set_aside.mark = Mark::Written,
                Some(_) if waits => refused.push(id),
                Some(_) | None => {}
            }
        }
        refused
    }

    /// How many are set aside here of which the database never said so.
    #[must_use]
    pub fn never_marked(&self) -> usize {
        let is_missing = |entry: &&Entry| entry.set_aside.is_some_and(|set_aside| set_aside.mark == Mark::Missing);
        self.entries.values().filter(is_missing).count()
    }

    /// Whether that response is here.
    #[must_use]
    pub fn contains(&self, id: ResponseId) -> bool {
        self.entries.contains_key(&id)
    }

    /// Whether that response is set aside.
    #[must_use]
    pub fn is_set_aside(&self, id: ResponseId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.set_aside.is_some())
    }

    /// Whether a response that lost its supervisor in this process has no ending yet and is not set aside.
    #[must_use]
    pub fn waits_for_orphans(&self) -> bool {
        let waits = |entry: &Entry| entry.is_of_this_process && entry.set_aside.is_none();
        self.entries.values().any(waits)
    }

    /// Whether all that earlier processes left behind was tried at least once: no older response turns up after that,
    /// except one that is set aside.
    #[must_use]
    pub fn has_swept(&self) -> bool {
        self.first_sweep == FirstSweep::Over
    }

    /// Whether the next sweep need not wait: every response that is here was tried at least once, or the database did
    /// not answer, and the sweep finds out whether it does.
    #[must_use]
    pub fn is_ready_for_a_sweep(&self) -> bool {
        self.untried == 0 || self.away_until.is_some()
    }

    fn insert(&mut self, found: LeftBehind, reason: SettleReason, now: Duration) {
        let (id, entry) = (found.id, Entry::new(found, reason, now));
        self.untried += usize::from(entry.is_untried());
        self.entries.insert(id, entry);
        self.waiting.insert((now, id));
    }

    fn answered(&mut self) {
        self.answers += 1;
        self.away_until = None;
    }

    fn fail(&mut self, id: ResponseId, reason: SetAsideReason, now: Duration) -> Option<SetAsideReason> {
        let entry = self.entries.get_mut(&id)?;
        self.untried -= usize::from(entry.is_untried());
        let set_aside = entry.fail(reason, now);
        let pause = pause_after(entry.failures);
        self.wait(id, now + pause, Some(now));
        self.review_sweep();
        set_aside
    }

    fn set_due(&mut self, id: ResponseId, due: Duration) {
        let Some(Entry { place: Place::Waiting { due: old, .. }, .. }) = self.entries.get_mut(&id) else { return };
        self.waiting.remove(&(*old, id));
        self.waiting.insert((due, id));
        *old = due;
    }

    /// Gives the place of a response back, which waits from now on.
    fn wait(&mut self, id: ResponseId, due: Duration, last: Option<Duration>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let before = std::mem::replace(&mut entry.place, Place::Waiting { due, last });
        if before == Place::UnderWay {
            self.under_way -= 1;
        }
        self.waiting.insert((due, id));
    }

    fn leave_place(&mut self, id: ResponseId, entry: &Entry) {
        match entry.place {
            Place::Waiting { due, .. } => {
                self.waiting.remove(&(due, id));
            }
            Place::UnderWay => self.under_way -= 1,
        }
    }

    fn review_sweep(&mut self) {
        if self.first_sweep == FirstSweep::Trying && self.untried == 0 {
            self.first_sweep = FirstSweep::Over;
        }
    }
}

#[cfg(test)]
mod tests;
