//! Who is started again after an unexpected ending, and how often.

use super::Timestamp;

/// What follows the unexpected ending of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// It is started again.
    Again,
    /// It is not; what depends on it ends.
    GiveUp,
}

/// How many restarts are allowed within a time.
#[derive(Debug, Clone)]
pub struct RestartBudget {
    most: usize,
    within_micros: Option<i64>,
    restarts: Vec<Timestamp>,
}

impl RestartBudget {
    /// A response's accumulator: twice in its life.
    #[must_use]
    pub const fn accumulator() -> Self {
        Self { most: 2, within_micros: None, restarts: Vec::new() }
    }

    /// A node's journal writer: the third ending within a minute is the last.
    #[must_use]
    pub const fn journal_writer() -> Self {
        Self { most: 2, within_micros: Some(60_000_000), restarts: Vec::new() }
    }

    /// A node's registry: each restart settles all that ran, so a registry that keeps failing must not go on.
    #[must_use]
    pub const fn registry() -> Self {
        Self { most: 4, within_micros: Some(60_000_000), restarts: Vec::new() }
    }

    /// An ending happened: is there another restart?
    #[must_use]
    pub fn spend(&mut self, now: Timestamp) -> Restart {
        if let Some(within) = self.within_micros {
            self.restarts.retain(|at| now.as_micros() - at.as_micros() < within);
        }
        if self.restarts.len() < self.most {
            self.restarts.push(now);
            Restart::Again
        } else {
            Restart::GiveUp
        }
    }
}
