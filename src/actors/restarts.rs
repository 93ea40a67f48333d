//! Who is started again after an unexpected ending, and how often: the whole table.

use std::time::Duration;

use super::supervision::RestartBudget;

const MINUTE: Duration = Duration::from_secs(60);

/// A response's accumulator: twice in its life.
pub(super) const fn accumulator() -> RestartBudget {
    RestartBudget::in_all(2)
}

/// A node's journal writer: the third ending within a minute is the last.
pub(super) const fn journal_writer() -> RestartBudget {
    RestartBudget::within(MINUTE, 2)
}

/// A node's registry: each restart settles all that ran, so a registry that keeps failing must not go on.
pub(super) const fn registry() -> RestartBudget {
    RestartBudget::within(MINUTE, 4)
}
