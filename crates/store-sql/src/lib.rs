//! The store of Antiphon in SQLite or PostgreSQL.
//!
//! Sockets and files belong to a small runtime of the store's own, so that callers may be on any runtime and a busy
//! one does not delay the queries of others. Reads and writes have separate connections: SQLite has one connection
//! that writes, and on PostgreSQL reads can't delay the journal.
//!
//! Each noun of the [store](antiphon_store) has a file or a folder here; `commit/` takes a group of entries through them in one
//! transaction. The tables are described in `entities` and made in `migration`.

mod accounts;
mod columns;
mod commit;
mod connect;
mod error;
mod idempotency_keys;
mod io_runtime;
mod nodes;
mod opened_file;
mod options;
mod postgres;
mod reserve;
mod responses;
mod sqlite;
mod store;
mod usage_records;
mod wanted;

pub use error::{NewerTables, OlderTables};
pub use options::{StoreOptions, StoreSync};
pub use store::SqlStore;
