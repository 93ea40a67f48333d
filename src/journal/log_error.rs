//! Why a log could not be read.

use super::CodecError;
use crate::{store, vault};

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database could not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A segment can't be decrypted.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// A segment can't be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Segments are missing.
    #[error("the log has a gap")]
    Gap,
    /// The response was deleted while it was read, and its log with it.
    #[error("the response was deleted")]
    Deleted,
    /// Too many reads of the same user wait.
    #[error("too many reads of the same user wait")]
    Busy,
    /// The node stops.
    #[error("the node stops")]
    Stopped,
    /// A bug showed while it was read.
    #[error("reading the log panicked")]
    Panicked,
}
