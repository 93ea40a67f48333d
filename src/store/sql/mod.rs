//! The record in SQLite or PostgreSQL.
//!
//! Sockets and files belong to a small runtime of the store's own, so that callers may be on any runtime and
//! one that is busy does not hold up another's queries. Reads and writes have separate connections: SQLite has
//! one that writes, and on PostgreSQL readers cannot keep the journal waiting.

mod accounts;
mod chain;
mod commit;
mod connect;
mod error;
mod idempotency;
mod io_runtime;
mod items;
mod lease;
mod options;
mod postgres;
mod read;
mod rows;
mod sqlite;
mod store;

pub use error::NewerTables;
pub use options::{SqlOptions, Sync};
pub use store::SqlStore;
