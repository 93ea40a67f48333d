//! Antiphon.

pub mod access;
pub mod actors;
mod clock;
pub mod domain;
pub mod protocol;
pub mod provider;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use clock::{Clock, SystemClock};
