//! The handle: everything that can be asked of a running node.

mod builder;
mod dispatcher;
mod events;
mod fact_reader;
mod handle;
mod idempotency;
mod messages;
mod user;
mod weak;

pub use builder::{Builder, StartError};
pub use dispatcher::Dispatcher;
pub use events::Events;
pub use handle::Antiphon;
pub use messages::{CancelResponse, CommittedFacts, Interruption, ReadFacts, StartResponse};
pub use user::{RespondError, User};
pub use weak::WeakAntiphon;
