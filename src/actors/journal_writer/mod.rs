//! Commits what all responses of a node have to write, in groups.

mod choice;
mod deletions;
mod group_size;
mod journal;
mod queue;
#[cfg(test)]
mod tests;

mod writer;

pub use journal::{Journal, JournalStats, Written};
pub(crate) use writer::JournalWriter;
