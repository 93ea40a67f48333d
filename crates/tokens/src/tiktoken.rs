//! The tokenizer as a value, for the ports that ask for one.

use super::{TokenError, count_blocking};
use antiphon_domain::Encoding;

/// A tokenizer that counts with tiktoken, and implements the counting ports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tiktoken;

impl Tiktoken {
    /// Loads a vocabulary on this thread, so that the first request need not wait for it: some 100 ms.
    ///
    /// # Errors
    /// [`TokenError::Failed`].
    pub fn load(encoding: Encoding) -> Result<(), TokenError> {
        count_blocking(encoding, "a").map(drop)
    }
}
