//! How often what ended is started again.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// What follows an unexpected ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// It is started again.
    Again,
    /// It is not; what depends on it ends too.
    GiveUp,
}

/// How many restarts are allowed, in all or within a time.
///
/// It reads no clock: the moment of an ending is given to it. It remembers at most as many moments as it allows
/// restarts.
///
/// ```
/// use std::time::Duration;
///
/// use antiphon_supervision::{Restart, RestartBudget};
/// use tokio::time::Instant;
///
/// let mut budget = RestartBudget::within(Duration::from_secs(60), 2);
/// let (start, second) = (Instant::now(), Duration::from_secs(1));
/// assert_eq!(budget.spend(start), Restart::Again);
/// assert_eq!(budget.spend(start + 30 * second), Restart::Again);
/// assert_eq!(budget.spend(start + 59 * second), Restart::GiveUp, "a third one within a minute");
/// assert_eq!(budget.spend(start + 60 * second), Restart::Again, "the first one is a minute ago");
/// ```
#[derive(Debug, Clone)]
pub struct RestartBudget {
    most: usize,
    window: Option<Duration>,
    /// Oldest first.
    restarts: VecDeque<Instant>,
}

impl RestartBudget {
    /// At most `most` restarts, however long it lives.
    #[must_use]
    pub const fn in_all(most: usize) -> Self {
        Self { most, window: None, restarts: VecDeque::new() }
    }

    /// At most `most` restarts in any time as long as `window`.
    #[must_use]
    pub const fn within(window: Duration, most: usize) -> Self {
        Self { most, window: Some(window), restarts: VecDeque::new() }
    }

    /// It ended at `now`, not before the ending last told: is it started again? A restart is counted, a refusal is
    /// not.
    #[must_use]
    pub fn spend(&mut self, now: Instant) -> Restart {
        if let Some(window) = self.window {
            while self.restarts.front().is_some_and(|restart| now.saturating_duration_since(*restart) >= window) {
                self.restarts.pop_front();
            }
        }
        if self.restarts.len() >= self.most {
            return Restart::GiveUp;
        }
        self.restarts.push_back(now);
        Restart::Again
    }
}
