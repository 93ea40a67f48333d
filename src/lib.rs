//! Antiphon.

pub mod access;
pub mod actors;
pub mod admission;
mod antiphon;
#[cfg(feature = "server")]
pub mod cli;
mod clock;
#[cfg(feature = "server")]
pub mod config;
pub mod domain;
#[cfg(feature = "server")]
pub mod http;
pub mod journal;
pub mod protocol;
pub mod provider;
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod tokens;
pub mod vault;

pub use antiphon::{Antiphon, Builder, History, HistoryError, StartError};
pub use clock::{Clock, SystemClock};
