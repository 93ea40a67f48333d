//! What admission asks of others.

use std::{fmt, sync::Weak};

use async_trait::async_trait;

use crate::actors::{History, HistoryError, Node, history};
use crate::domain::{Encoding, Prompt};
use crate::protocol::{ResponseId, TextFormat, Tool, UserId};
use crate::refusal::Refusal;
use crate::tokens::{Tiktoken, TokenError, definition_tokens, prompt_tokens};

/// Tells what was said before.
#[async_trait]
pub trait Histories: fmt::Debug + Send + Sync + 'static {
    /// At most `most` items, the newest ones, of a stored response of that user and its ancestors.
    async fn history(&self, user: UserId, last: ResponseId, most: usize) -> Result<History, HistoryError>;
}

#[async_trait]
impl Histories for Weak<Node> {
    async fn history(&self, user: UserId, last: ResponseId, most: usize) -> Result<History, HistoryError> {
        let node = self.upgrade().ok_or(HistoryError::Read(Refusal::Draining))?;
        history(&node, user, last, most).await
    }
}

/// Counts tokens, off the caller's thread.
#[async_trait]
pub trait PromptCounter: fmt::Debug + Send + Sync + 'static {
    /// The tokens of a whole prompt.
    async fn prompt_tokens(&self, encoding: Encoding, prompt: &Prompt) -> Result<u32, TokenError>;

    /// The tokens of what stands beside a prompt: the tools that may be called, and the schema of the answer.
    async fn definition_tokens(
        &self,
        encoding: Encoding,
        tools: &[Tool],
        format: &TextFormat,
    ) -> Result<u32, TokenError>;
}

#[async_trait]
impl PromptCounter for Tiktoken {
    async fn prompt_tokens(&self, encoding: Encoding, prompt: &Prompt) -> Result<u32, TokenError> {
        prompt_tokens(encoding, prompt).await
    }

    async fn definition_tokens(
        &self,
        encoding: Encoding,
        tools: &[Tool],
        format: &TextFormat,
    ) -> Result<u32, TokenError> {
        definition_tokens(encoding, tools, format).await
    }
}
