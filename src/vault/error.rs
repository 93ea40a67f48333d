//! Why something can't be encrypted or read.

use std::path::PathBuf;

use crate::protocol::UserId;
use crate::store;

/// Why the vault can't encrypt or decrypt.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ciphertext was changed, or belongs to another column, response or user.
    #[error("a ciphertext was changed or belongs elsewhere")]
    Tampered,
    /// The plaintext is larger than anything this program stores.
    #[error("a payload of {bytes} bytes is too large")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The ciphertext names a key that is not known.
    #[error("there is no key of version {0}")]
    UnknownKeyVersion(u32),
    /// The user has no data key: the user was deleted.
    #[error("{0} has no data key")]
    NoDataKey(UserId),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// The key ring can't be read or written.
    #[error("the key ring can't be used")]
    Ring(#[from] RingError),
    /// The data keys could not be read or changed.
    #[error("the data keys can't be read or changed")]
    Accounts(#[from] store::AccountError),
}

/// Why a key ring can't be read or written. No text of the ring is ever part of it.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// There is no such key file.
    #[error("there is no key file at '{0}'")]
    Missing(PathBuf),
    /// The key file could not be read or written.
    #[error("the key file '{path}' can't be read or written")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than the owner may use the key file.
    #[error("the key file '{path}' has mode {mode:04o}; only its owner may have access (chmod 600)")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The environment variable is not set or is not Unicode.
    #[error("the environment variable '{0}' holds no key ring")]
    Variable(String),
    /// The command could not be run.
    #[error("the key command can't be run")]
    Command(#[source] std::io::Error),
    /// The command ended with a failure.
    #[error("the key command ended with {0}")]
    CommandStatus(std::process::ExitStatus),
    /// The command took too long.
    #[error("the key command did not end in time")]
    CommandTimeout,
    /// The program ended, or a bug showed, while the ring was read.
    #[error("reading the key ring was interrupted")]
    Interrupted,
    /// The text is not a key ring.
    #[error("the key ring is not valid at line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// The current version is not among the keys.
    #[error("the key ring's current version {0} is not among its keys")]
    NoCurrent(u32),
    /// No version is left to add.
    #[error("the key ring has no version left to add")]
    Full,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
}
