//! The port to the record of all responses, and its adapters.
//!
//! A store sees ciphertext and plain columns, never content: the vault stands in front of it.
//! Imports `protocol` and `domain` only; the adapters also implement the port of `access`.

mod memory;
mod port;
mod rules;
mod sql;

pub use memory::MemoryStore;
pub use port::{
    AdmissionRecord, Append, Claim, CommitOutcome, Conflict, EndingRecord, Entry, Error, IdempotencyRecord, ItemPage,
    ItemQuery, Order, ResponseRow, Segment, Side, Store, StoredItem, UsageRecord,
};
pub use sql::{NewerTables, SqlOptions, SqlStore, Sync};
