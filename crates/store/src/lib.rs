//! The port between Antiphon and its database, and a store in memory.
//!
//! A store sees ciphertext and plain columns, never content: the vault stands in front of it. It is ordered by noun,
//! and each noun has the same name everywhere:
//!
//! | noun | trait | in memory | in SQL (`antiphon-store-sql`) | conformance suite (`testkit`) |
//! |---|---|---|---|---|
//! | responses: rows, logs, items | [`ResponseStore`] | `memory/responses.rs` | `responses/` | `responses/` |
//! | nodes: epochs, leases | [`NodeStore`] | `memory/nodes.rs` | `nodes.rs` | `nodes/` |
//! | idempotency keys | [`IdempotencyKeyStore`] | `memory/idempotency_keys.rs` | `idempotency_keys.rs` | `idempotency_keys.rs` |
//! | usage records | written with an [`EndingRecord`] | `memory/usage_records.rs` | `usage_records.rs` | |
//! | accounts: users, API keys, data keys | [`AccountStore`] | `memory/accounts.rs` | `accounts/` | `accounts.rs` |
//!
//! [`Store`] is the sum of the traits. What changes a response goes through [`GroupCommit`], in one transaction for many
//! responses; a noun whose rows must be written in that transaction has a record in [`JournalEntry`].
//!
//! A new noun (conversations, jobs, the ledger, files, vectors) gets a trait in a file of its own, a field in [`Store`],
//! a table in memory, a file or folder of SQL with its entity and migration, and a part of the conformance suite.

mod accounts;
mod error;
mod group_commit;
mod idempotency_keys;
mod memory;
mod nodes;
mod responses;
mod rules;
mod store;
mod usage_records;

pub use accounts::{AccountError, AccountStore, ApiKeyRecord, UserRecord, WrappedKey};
pub use error::Error;
pub use group_commit::{
    AdmissionRecord, AppendRecord, ClaimRecord, CommitOutcome, Conflict, EndingRecord, GroupCommit, JournalEntry,
    LastSegment,
};
pub use idempotency_keys::{IdempotencyKeyStore, IdempotencyRecord};
pub use memory::MemoryStore;
pub use nodes::NodeStore;
pub use responses::{
    ItemPage, ItemQuery, ItemSide, OrphanedResponse, ResponseRow, ResponseStore, Segment, SetAsideMark,
    SetAsideResponse, SortOrder, StoredItem,
};
pub use rules::{AdmissionContext, AdmissionDecision, KeyState};
pub use store::Store;
pub use usage_records::UsageRecord;
