//! Antiphon.

pub mod access;
pub mod domain;
pub mod protocol;
pub mod provider;
pub mod store;
