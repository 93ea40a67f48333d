//! Encryption at rest: everything that a user sends or receives is encrypted before it is stored.
//!
//! Three layers of keys. The [`KeyRing`] holds versioned key-encryption keys and comes from outside the
//! database. Each user has one random data key, kept in the database wrapped by the ring's current key;
//! deleting it makes all of the user's content unreadable for ever. Each response has a key of its own,
//! derived from the user's, so that random nonces never run out. Everything is AES-256-GCM, and the
//! associated data binds each ciphertext to its row and column: one that was moved does not open.
//!
//! Imports `protocol`, and the port `store`, which keeps the wrapped data keys.

mod cache;
mod cipher;
mod ciphertext_context;
mod error;
mod key;
mod keyring;
mod pepper;
mod response_key;
mod rewrap;
mod source;
mod unlock;

pub use ciphertext_context::CiphertextContext;
pub use error::{Error, RingError};
pub use keyring::KeyRing;
pub use pepper::Pepper;
pub use response_key::{ResponseKey, UserKey};
pub use rewrap::Rewrapped;
pub use source::KeySource;
pub use unlock::Vault;

#[cfg(test)]
mod tests;
