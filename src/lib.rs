//! Antiphon.

pub mod access;
pub mod actors;
pub mod admission;
mod antiphon;
mod clock;
pub mod domain;
#[cfg(feature = "server")]
pub mod http;
pub mod journal;
pub mod protocol;
pub mod provider;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod vault;

pub use antiphon::{Antiphon, Builder, History, HistoryError, StartError};
pub use clock::{Clock, SystemClock};
