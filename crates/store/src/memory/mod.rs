//! A store in memory, for tests and for embedders that keep nothing: a table for each noun.

mod accounts;
mod group_commit;
mod idempotency_keys;
mod nodes;
mod responses;
mod store;
mod usage_records;

pub use store::MemoryStore;
