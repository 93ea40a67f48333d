//! The port to a tokenizer.

use std::fmt;

use async_trait::async_trait;

use super::{
    TokenError,
    count::checked,
    prompt::{definitions, framing, texts},
    slices::samples,
};
use antiphon_domain::{Encoding, Prompt};
use antiphon_protocol::{TextFormat, Tool};

/// Counts tokens, off the caller's thread. One method is enough; the others are sums over it.
#[async_trait]
pub trait TokenCounter: fmt::Debug + Send + Sync + 'static {
    /// The tokens of some texts, each counted by itself, in all.
    ///
    /// # Errors
    /// [`TokenError`].
    async fn count(&self, encoding: Encoding, texts: &[&str]) -> Result<u64, TokenError>;

    /// About how many tokens a text has, in bounded time: exactly so of one of up to 64 KiB; of a longer one pieces from
    /// all over it are counted, of 64 KiB together, and the rest is taken to be like them.
    ///
    /// # Errors
    /// [`TokenError`].
    async fn estimate(&self, encoding: Encoding, text: &str) -> Result<u64, TokenError> {
        let samples = samples(text);
        let sampled: usize = samples.iter().map(|sample| sample.len()).sum();
        let counted = self.count(encoding, &samples).await?;
        Ok((counted * text.len() as u64).div_ceil(sampled.max(1) as u64))
    }

    /// The tokens of a whole prompt, with what frames its messages.
    ///
    /// # Errors
    /// [`TokenError`].
    async fn prompt_tokens(&self, encoding: Encoding, prompt: &Prompt) -> Result<u32, TokenError> {
        checked(self.count(encoding, &texts(prompt)).await? + framing(prompt))
    }

    /// The tokens of what stands beside a prompt and reaches the model too: the definitions of the tools that may be
    /// called and the schema of the answer, as JSON. How a model is shown them is its provider's secret, so this is near
    /// and not exact.
    ///
    /// # Errors
    /// [`TokenError`].
    async fn definition_tokens(
        &self,
        encoding: Encoding,
        tools: &[&Tool],
        format: &TextFormat,
    ) -> Result<u32, TokenError> {
        let definitions = definitions(tools, format).map_err(|_| TokenError::Failed)?;
        let texts: Vec<&str> = definitions.iter().map(String::as_str).collect();
        checked(self.count(encoding, &texts).await?)
    }
}
