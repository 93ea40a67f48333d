//! The restart budgets: which actors are restarted after an unexpected ending, and how often.

use std::time::Duration;

use super::supervision::RestartBudget;

const MINUTE: Duration = Duration::from_secs(60);

/// The budget of a response's accumulator: two restarts in all.
pub(super) const fn accumulator() -> RestartBudget {
    RestartBudget::in_all(2)
}

/// The budget of a node's journal writer: the third ending within a minute is final.
pub(super) const fn journal_writer() -> RestartBudget {
    RestartBudget::within(MINUTE, 2)
}

/// The budget of a node's registry: each restart settles all running responses, so a registry that keeps failing must
/// not continue.
pub(super) const fn registry() -> RestartBudget {
    RestartBudget::within(MINUTE, 4)
}
