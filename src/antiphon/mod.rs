//! The handle: everything that can be asked of a running node.
//!
//! `handle` is the node itself, and imports nothing of this module; `responses`, `idempotency`, `subscription` and `drain`
//! are what it can do; `user`, `events` and `dispatcher` stand on these, and `builder` makes it all.

mod builder;
mod dispatcher;
mod drain;
mod events;
mod fact_reader;
mod handle;
mod idempotency;
mod messages;
mod readiness;
mod responses;
mod subscription;
#[cfg(test)]
mod tests;
mod user;

pub use builder::{Builder, StartError};
pub use dispatcher::Dispatcher;
pub use drain::DrainReport;
pub use events::Events;
pub use handle::{Antiphon, WeakAntiphon};
pub use idempotency::AnsweredRequest;
pub use messages::{CancelResponse, CommittedFacts, Interruption, ReadFacts, StartResponse};
pub use readiness::Readiness;
pub use responses::{InputItemsPage, InputItemsQuery};
pub use subscription::Subscription;
pub use user::User;
