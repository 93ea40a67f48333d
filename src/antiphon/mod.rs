//! The handle: everything that can be asked of a running node.

mod builder;
mod handle;
mod idempotency;

pub use crate::actors::{History, HistoryError};
pub use builder::{Builder, StartError};
pub use handle::Antiphon;
pub use idempotency::AttachRefusal;
