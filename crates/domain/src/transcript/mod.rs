//! The one fold: facts in; stream events, the Response object, stored items, usage and the ending out.

mod ending;
mod fold;
mod output;
mod server_calls;
mod snapshot;
#[cfg(test)]
mod tests;
mod written;

pub use ending::{Ending, RecordedEnding, Verdict};
pub use fold::Transcript;
pub use server_calls::{ServerCallState, ServerCalls};
pub use snapshot::CallUsage;
pub use written::UnreportedTurn;

/// The version of the fold that new logs are written for.
///
/// A later version may add fields; it never changes the events, numbers, ids or texts of an older log.
pub const FOLD_VERSION: i16 = 2;
