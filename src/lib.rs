//! Antiphon.

pub mod access;
pub mod actors;
mod clock;
pub mod domain;
pub mod protocol;
pub mod provider;
pub mod store;
pub use clock::{Clock, SystemClock};
