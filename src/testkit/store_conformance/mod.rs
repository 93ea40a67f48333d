//! A conformance suite that every store must pass, with a part for each noun.

#![expect(clippy::panic, clippy::unwrap_used, clippy::print_stdout, reason = "it is a test, for any test harness")]

mod accounts;
mod fixtures;
mod group_commit;
mod idempotency_keys;
mod nodes;
mod responses;
mod suite;

pub use suite::store_conformance;
