//! What is known of one response that lost its owner.

use std::time::Duration;

use super::{EndingForm, LeftBehind};
use crate::{SetAsideReason, SettleReason, Timestamp};

/// After how many failed tries a response is set aside.
const TRIES: u32 = 3;

/// How long an ending may be refused until it may lack what the database refuses.
const PATIENCE_FOR_THE_WHOLE: Duration = Duration::from_mins(2);

/// How often a try may find the database not available, while it answers others in between, until that counts as a
/// failure of the response.
const TIMES_AWAY: u32 = 3;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) reason: SettleReason,
    pub(super) place: Place,
    /// Whether it lost its supervisor in this process.
    pub(super) is_of_this_process: bool,
    /// How many tries have failed.
    pub(super) failures: u32,
    pub(super) set_aside: Option<SetAside>,
    /// Since when its ending is refused, if that was the last failure.
    refused_since: Option<Duration>,
    away: TriesAway,
    /// When somebody last asked for another try, as the database says.
    retry_wanted_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is tried again at this time. It was tried last at the other one, if ever.
    Waiting { due: Duration, last: Option<Duration> },
    /// It is being tried.
    UnderWay,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct SetAside {
    pub(super) reason: SetAsideReason,
    pub(super) mark: Mark,
}

/// Whether the database says that a response is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Not yet.
    Missing,
    /// It did, until a try that may have cleared the mark: a new owner does.
    Doubtful,
    /// As far as is known.
    Written,
}

/// The tries of a response that found the database not available.
#[derive(Debug, Default, Clone, Copy)]
struct TriesAway {
    /// How many, counting those without any answer to others in between as one.
    times: u32,
    /// How many answers there had been at the last one.
    answers: u64,
}

impl Entry {
    pub(super) fn new(found: LeftBehind, reason: SettleReason, now: Duration) -> Self {
        Self {
            reason,
            place: Place::Waiting { due: now, last: None },
            is_of_this_process: false,
            failures: 0,
            set_aside: found.set_aside.map(|reason| SetAside { reason, mark: Mark::Written }),
            refused_since: None,
            away: TriesAway::default(),
            retry_wanted_at: found.retry_wanted_at,
        }
    }

    pub(super) const fn is_untried(&self) -> bool {
        self.failures == 0 && self.set_aside.is_none()
    }

    pub(super) const fn waits(&self) -> bool {
        matches!(self.place, Place::Waiting { .. })
    }

    /// What its ending consists of, if it gets one by a try that begins now.
    pub(super) fn ending(&self, now: Duration) -> EndingForm {
        let is_refused_for_long =
            self.refused_since.is_some_and(|since| now.saturating_sub(since) >= PATIENCE_FOR_THE_WHOLE);
        if is_refused_for_long { EndingForm::WholeOrMinimal } else { EndingForm::Whole }
    }

    /// Takes note of a failed try. Returns the reason if the response is set aside by it, or for another reason than
    /// before.
    pub(super) fn fail(&mut self, reason: SetAsideReason, now: Duration) -> Option<SetAsideReason> {
        self.failures = self.failures.saturating_add(1);
        let is_refused = reason == SetAsideReason::EndingRefused;
        self.refused_since = is_refused.then(|| self.refused_since.unwrap_or(now));
        let lasts = reason == SetAsideReason::NewerVersion || self.failures >= TRIES;
        let before = self.set_aside;
        self.set_aside = match before.map(|before| before.mark) {
            Some(Mark::Written | Mark::Doubtful) => Some(SetAside { reason, mark: Mark::Doubtful }),
            Some(Mark::Missing) => Some(SetAside { reason, mark: Mark::Missing }),
            None => lasts.then_some(SetAside { reason, mark: Mark::Missing }),
        };
        before.map_or(lasts, |before| before.reason != reason).then_some(reason)
    }

    /// Takes note that a try found the database not available, which had given so many answers before. Whether that
    /// happened so often, with answers to others in between, that it is this response that it can't answer.
    pub(super) fn is_alone_unanswered(&mut self, answers: u64) -> bool {
        let answered_others = self.away.times > 0 && answers > self.away.answers;
        if self.away.times == 0 || answered_others {
            self.away.times = self.away.times.saturating_add(1);
        }
        self.away.answers = answers;
        answered_others && self.away.times >= TIMES_AWAY
    }

    /// Whether somebody wants it to be tried again since it was last looked at; it counts as never tried then. While it
    /// is being tried that is left to the next look.
    pub(super) fn is_wanted_again(&mut self, retry_wanted_at: Option<Timestamp>) -> bool {
        let is_new = retry_wanted_at.is_some() && retry_wanted_at != self.retry_wanted_at;
        if !is_new || self.set_aside.is_none() || !self.waits() {
            return false;
        }
        (self.retry_wanted_at, self.failures, self.refused_since) = (retry_wanted_at, 0, None);
        true
    }
}
