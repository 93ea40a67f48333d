//! Making the history and the input fit the model.

use std::fmt;

use super::{TokenCounter, TokenError};
use antiphon_domain::{Encoding, Model, Prompt, PromptParts, Request, newest_that_fit, output_room};
use antiphon_protocol::{Item, Truncation};

/// How many tokens of a model's context window the prompt of a request may have, and how they are counted.
#[derive(Debug, Clone, Copy)]
pub struct PromptBudget<'a> {
    counter: &'a dyn TokenCounter,
    encoding: Encoding,
    /// The most tokens of the prompt and what stands beside it.
    limit: u32,
    /// Tokens of what stands beside every prompt of the request.
    beside: u32,
}

/// A prompt that fits.
#[derive(Clone, PartialEq)]
pub struct FittedPrompt {
    /// The prompt.
    pub prompt: Prompt,
    /// Its tokens, with those of what stands beside it.
    pub tokens: u32,
}

// A prompt is content, and content is in no log.
impl fmt::Debug for FittedPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FittedPrompt").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

/// Why there is no prompt that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// It has no room in the model's context window.
    #[error("the prompt is too long for the model")]
    TooLong {
        /// Its tokens, where they could be counted.
        tokens: Option<u32>,
        /// The most that it may have.
        limit: u32,
    },
    /// The tokenizer failed on it.
    #[error("the prompt's tokens could not be counted")]
    Uncountable,
}

impl<'a> PromptBudget<'a> {
    /// What a model's context window has room for beside the output of a request.
    ///
    /// # Errors
    /// [`PromptError`], if what stands beside the prompt can't be counted.
    pub async fn of(counter: &'a dyn TokenCounter, model: &Model, request: &Request) -> Result<Self, PromptError> {
        let room = output_room(model.context_window, request.max_output_tokens);
        let limit = model.context_window.saturating_sub(room);
        let encoding = model.encoding;
        let beside = counter.definition_tokens(encoding, &request.callable_tools(), &request.text.format).await;
        let beside = beside.map_err(|error| uncounted(error, limit))?;
        Ok(Self { counter, encoding, limit, beside })
    }

    /// The prompt with as much of the history as the request asks for: all of it, or, where it may be shortened, its
    /// newest items that have room and all of the current turn.
    ///
    /// # Errors
    /// [`PromptError`].
    pub async fn fit(&self, parts: &PromptParts<'_>) -> Result<FittedPrompt, PromptError> {
        let prompt = parts.prompt_from(0);
        match (self.tokens(&prompt).await, parts.request.truncation) {
            (Ok(tokens), _) if tokens <= self.limit => Ok(FittedPrompt { prompt, tokens }),
            (Err(TokenError::Failed), _) => Err(PromptError::Uncountable),
            (tokens, Truncation::Disabled) => Err(self.too_long(tokens.ok())),
            (_, Truncation::Auto) => self.shorten(parts).await,
        }
    }

    async fn shorten(&self, parts: &PromptParts<'_>) -> Result<FittedPrompt, PromptError> {
        let current = parts.current_turn();
        let alone = self.tokens(&parts.prompt_from(current)).await.map_err(|error| uncounted(error, self.limit))?;
        let mut costs = Vec::with_capacity(current);
        for item in parts.history.iter().take(current) {
            costs.push(self.cost(item).await);
        }
        let first = newest_that_fit(&costs, alone, self.limit).ok_or_else(|| self.too_long(Some(alone)))?;
        self.newest_from(parts, first).await
    }

    /// The prompt with as many of the items from `first` on as have room. They cost a little more together than the sum
    /// says where a call had to be answered. It is searched by halves, so that a long history is not counted once for
    /// each item; the current turn has room.
    async fn newest_from(&self, parts: &PromptParts<'_>, first: usize) -> Result<FittedPrompt, PromptError> {
        let (mut least, mut most) = (first, parts.current_turn());
        let mut fitted = None;
        let mut tried = first;
        loop {
            let prompt = parts.prompt_from(tried);
            match self.tokens(&prompt).await {
                Ok(tokens) if tokens <= self.limit => {
                    most = tried;
                    fitted = Some(FittedPrompt { prompt, tokens });
                }
                Err(TokenError::Failed) => return Err(PromptError::Uncountable),
                tokens if tried == most => return Err(self.too_long(tokens.ok())),
                Ok(_) | Err(TokenError::TooMany) => least = tried + 1,
            }
            match fitted {
                Some(fitted) if least >= most => return Ok(fitted),
                _ => tried = least + (most - least) / 2,
            }
        }
    }

    /// The tokens of a prompt with all that stands beside it.
    async fn tokens(&self, prompt: &Prompt) -> Result<u32, TokenError> {
        let tokens = self.counter.prompt_tokens(self.encoding, prompt).await?;
        tokens.checked_add(self.beside).ok_or(TokenError::TooMany)
    }

    /// The tokens of one item, by itself.
    async fn cost(&self, item: &Item) -> u32 {
        let alone = Prompt { instructions: None, items: vec![item.clone()] };
        self.counter.prompt_tokens(self.encoding, &alone).await.unwrap_or(u32::MAX)
    }

    fn too_long(&self, tokens: Option<u32>) -> PromptError {
        PromptError::TooLong { tokens, limit: self.limit }
    }
}

fn uncounted(error: TokenError, limit: u32) -> PromptError {
    match error {
        TokenError::TooMany => PromptError::TooLong { tokens: None, limit },
        TokenError::Failed => PromptError::Uncountable,
    }
}
