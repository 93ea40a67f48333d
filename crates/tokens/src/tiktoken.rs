//! The tokenizer of OpenAI's models.

use async_trait::async_trait;

use super::count::{count, vocabulary};
use super::{TokenCounter, TokenError, count_blocking};
use antiphon_domain::Encoding;

/// Counts with tiktoken, on the runtime's blocking threads: it must be asked within a tokio runtime.
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

#[async_trait]
impl TokenCounter for Tiktoken {
    async fn count(&self, encoding: Encoding, texts: &[&str]) -> Result<u64, TokenError> {
        count(move || vocabulary(encoding), texts).await
    }
}
