//! The port to the database and its adapters: in memory, and in SQLite or PostgreSQL.

#[doc(inline)]
pub use antiphon_store::*;
#[doc(inline)]
pub use antiphon_store_sql::{NewerTables, OlderTables, SqlStore, StoreOptions, StoreSync};
