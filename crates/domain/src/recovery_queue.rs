//! Which of the responses that lost their owner is recovered next.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use antiphon_protocol::ResponseId;

use crate::{SetAsideReason, SettleReason, backoff::pause_after};

/// How many responses are tried at the same time.
const MOST_UNDER_WAY: usize = 32;

/// How soon a response that somebody waits for is tried again.
const PAUSE_WHEN_WANTED: Duration = Duration::from_secs(1);

/// How long all tries pause when the database is not available.
const PAUSE_WHEN_AWAY: Duration = Duration::from_secs(1);

/// After how many failed tries a response is set aside.
const TRIES: u32 = 3;

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
    first_sweep: FirstSweep,
}

#[derive(Debug)]
struct Entry {
    reason: SettleReason,
    place: Place,
    /// How many tries have failed.
    failures: u32,
    set_aside: Option<SetAside>,
}

#[derive(Debug, Clone, Copy)]
struct SetAside {
    reason: SetAsideReason,
    /// Since when the database says so, as far as is known.
    marked_at: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is tried again at this time. It was tried last at the other one, if ever.
    Waiting { due: Duration, last: Option<Duration> },
    /// It is being tried.
    UnderWay,
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
    /// Nothing else: the database refuses the whole, and takes other changes of the response. All output can still be
    /// read from the log.
    Minimal,
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
        let Some(entry) = self.entries.get_mut(&id) else {
            return self.insert(id, reason, None, now);
        };
        if reason == SettleReason::Cancelled {
            entry.reason = reason;
        }
        if let Place::Waiting { due, last } = entry.place {
            let soon = due.min(last.map_or(now, |last| last + PAUSE_WHEN_WANTED));
            self.set_due(id, soon);
        }
    }

    /// Takes what a sweep found; `is_all` says whether there is nothing else. Returns how many of them are new.
    pub fn found(&mut self, orphans: &[LeftBehind], is_all: bool, now: Duration) -> usize {
        let before = self.entries.len();
        for LeftBehind { id, set_aside } in orphans {
            if !self.entries.contains_key(id) {
                let set_aside = set_aside.map(|reason| SetAside { reason, marked_at: Some(now) });
                self.insert(*id, SettleReason::NodeLost, set_aside, now);
            }
        }
        if is_all && self.first_sweep == FirstSweep::Finding {
            self.first_sweep = FirstSweep::Trying;
        }
        self.review_sweep();
        self.entries.len() - before
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
        let ending = match entry.set_aside {
            Some(SetAside { reason: SetAsideReason::EndingRefused, marked_at: Some(_) }) if entry.failures > 0 => {
                EndingForm::Minimal
            }
            Some(_) | None => EndingForm::Whole,
        };
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
        self.away_until = None;
        let entry = self.entries.remove(&id)?;
        self.leave_place(id, &entry);
        self.untried -= usize::from(entry.is_untried());
        self.review_sweep();
        entry.set_aside.map(|set_aside| set_aside.reason)
    }

    /// Takes note of a failed try. Returns the reason if the response is set aside by it, or for another reason than
    /// before.
    pub fn failed(&mut self, id: ResponseId, reason: SetAsideReason, now: Duration) -> Option<SetAsideReason> {
        self.away_until = None;
        let entry = self.entries.get_mut(&id)?;
        self.untried -= usize::from(entry.is_untried());
        entry.failures = entry.failures.saturating_add(1);
        let lasts = reason == SetAsideReason::NewerVersion || entry.failures >= TRIES;
        let is_new = match entry.set_aside {
            Some(set_aside) => set_aside.reason != reason,
            None => lasts,
        };
        if is_new {
            entry.set_aside = Some(SetAside { reason, marked_at: None });
        }
        let pause = pause_after(entry.failures);
        self.wait(id, now + pause, Some(now));
        self.review_sweep();
        is_new.then_some(reason)
    }

    /// Takes note that a try found the database not available. Returns whether that is new.
    pub fn database_away(&mut self, id: ResponseId, now: Duration) -> bool {
        self.wait(id, now, None);
        self.away_until.replace(now + PAUSE_WHEN_AWAY).is_none()
    }

    /// Takes note that a try could not go on for a reason that is neither the response's nor the database's: it is
    /// tried again soon, for the same reason as before.
    pub fn put_off(&mut self, id: ResponseId, now: Duration) {
        self.away_until = None;
        self.wait(id, now + PAUSE_WHEN_WANTED, Some(now));
    }

    /// Takes note that the database says that a response is set aside.
    pub fn marked(&mut self, id: ResponseId, now: Duration) {
        if let Some(set_aside) = self.entries.get_mut(&id).and_then(|entry| entry.set_aside.as_mut()) {
            set_aside.marked_at = Some(now);
        }
    }

    /// The responses that are set aside and of which the database does not say so yet.
    pub fn unmarked(&self) -> impl Iterator<Item = (ResponseId, SetAsideReason)> {
        let unmarked = |entry: &Entry| entry.set_aside.filter(|set_aside| set_aside.marked_at.is_none());
        self.entries.iter().filter_map(move |(id, entry)| Some((*id, unmarked(entry)?.reason)))
    }

    /// Takes which responses the database said were set aside when it was asked. Others whose mark is older are tried
    /// again at once, as if they had never been tried: somebody cleared the mark. Returns these.
    pub fn compare_marks(
        &mut self,
        is_marked: impl Fn(ResponseId) -> bool,
        asked: Duration,
        now: Duration,
    ) -> Vec<ResponseId> {
        let cleared = |(id, entry): (&ResponseId, &Entry)| {
            let marked_at = entry.set_aside.and_then(|set_aside| set_aside.marked_at);
            let was_marked = marked_at.is_some_and(|marked_at| marked_at < asked);
            let waits = matches!(entry.place, Place::Waiting { .. });
            (was_marked && waits && !is_marked(*id)).then_some(*id)
        };
        let cleared: Vec<_> = self.entries.iter().filter_map(cleared).collect();
        for id in &cleared {
            if let Some(entry) = self.entries.get_mut(id) {
                (entry.set_aside, entry.failures) = (None, 0);
                self.untried += 1;
                self.set_due(*id, now);
            }
        }
        cleared
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
        let failed = |reason| matches!(reason, SettleReason::SupervisorFailed | SettleReason::FailedUnannounced);
        let waits = |entry: &Entry| failed(entry.reason) && entry.set_aside.is_none();
        self.entries.values().any(waits)
    }

    /// Whether all that earlier processes left behind was tried at least once: no older response turns up after that,
    /// except one that is set aside.
    #[must_use]
    pub fn has_swept(&self) -> bool {
        self.first_sweep == FirstSweep::Over
    }

    /// Whether every response that is here was tried at least once.
    #[must_use]
    pub fn all_tried(&self) -> bool {
        self.untried == 0
    }

    fn insert(&mut self, id: ResponseId, reason: SettleReason, set_aside: Option<SetAside>, now: Duration) {
        let place = Place::Waiting { due: now, last: None };
        let entry = Entry { reason, place, failures: 0, set_aside };
        self.untried += usize::from(entry.is_untried());
        self.entries.insert(id, entry);
        self.waiting.insert((now, id));
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

impl Entry {
    fn is_untried(&self) -> bool {
        self.failures == 0 && self.set_aside.is_none()
    }
}

#[cfg(test)]
mod tests;
