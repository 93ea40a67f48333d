//! The tables of Antiphon, one file each.
//!
//! Ids are text (a canonical, hyphenated, lower case UUID), times are microseconds of the Unix epoch, bytes are
//! ciphertext or hashes. The meaning of the columns is described here; constraints are in the migrations.

pub mod api_key;
pub mod data_key;
pub mod idempotency_key;
pub mod item;
pub mod node;
pub mod response;
pub mod segment;
pub mod usage_record;
pub mod user;
