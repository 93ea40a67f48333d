//! What the tests of this crate use, and what embedders may use for theirs.

pub mod flaky_store;
pub mod postgres;
pub mod store_conformance;

pub use flaky_store::FlakyStore;
pub use store_conformance::store_conformance;
