//! The port to a tokenizer.

use std::fmt;

use async_trait::async_trait;

use super::{
    TokenError,
    count::checked,
    prompt::{definitions, framing, texts},
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
