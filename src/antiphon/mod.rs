//! The handle: everything that can be asked of a running node.

mod builder;
mod handle;
mod history;

pub use builder::{Builder, StartError};
pub use handle::Antiphon;
pub use history::{History, HistoryError};
