//! Commits what all responses of a node have to write, in groups.

mod journal;
mod queue;

mod writer;

pub use journal::{Journal, JournalStats, Written};
pub use writer::JournalWriter;
