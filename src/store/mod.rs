//! The port to the record of all responses, and its adapters.
//!
//! A store sees ciphertext and plain columns, never content: the vault stands in front of it.
//! Imports `protocol` and `domain` only.

mod port;

pub use port::{
    Admission, Append, Claim, Conflict, Ending, Entry, Error, ItemPage, ItemQuery, Order, Outcome, ResponseRow,
    Segment, Side, Store, StoredItem, UsageRecord,
};
