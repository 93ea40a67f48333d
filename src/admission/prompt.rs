//! Making the history and the input fit the model.

use super::{Model, PromptCounter, Refusal};
use crate::domain::{Encoding, Prompt, close_calls, current_turn, newest_that_fit};
use crate::protocol::{Item, ResponseId, TextFormat, Tool, Truncation};
use crate::tokens::TokenError;

/// History and input before it is known what of the history fits.
pub(super) struct Material {
    pub(super) response: ResponseId,
    pub(super) instructions: Option<String>,
    /// Oldest first. What belongs to the current turn is never left out.
    pub(super) history: Vec<Item>,
    /// Never shortened.
    pub(super) input: Vec<Item>,
    /// Stand beside the conversation, and are never left out.
    pub(super) tools: Vec<Tool>,
    pub(super) format: TextFormat,
    pub(super) truncation: Truncation,
}

impl Material {
    /// The whole of it, every call answered.
    fn prompt(&self, history: &[Item]) -> Prompt {
        let items = close_calls(self.response, history, &self.input);
        Prompt { instructions: self.instructions.clone(), items }
    }
}

/// Counts for a model.
struct Gauge<'a> {
    encoding: Encoding,
    counter: &'a dyn PromptCounter,
    /// Tokens of what stands beside every prompt of the request.
    beside: u32,
}

impl Gauge<'_> {
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
}

/// The prompt and its tokens.
pub(super) async fn fit(
    material: &Material,
    model: &Model,
    budget: u32,
    counter: &dyn PromptCounter,
) -> Result<(Prompt, u32), Refusal> {
    let encoding = model.encoding;
    let beside = counter.definition_tokens(encoding, &material.tools, &material.format).await;
    let beside = beside.map_err(|error| uncounted(error, budget))?;
    let gauge = Gauge { encoding, counter, beside };
    let prompt = material.prompt(&material.history);
    match (gauge.tokens(&prompt).await, material.truncation) {
        (Ok(tokens), _) if tokens <= budget => Ok((prompt, tokens)),
        (Err(TokenError::Failed), _) => Err(Refusal::Uncountable),
        (tokens, Truncation::Disabled) => Err(Refusal::ContextTooLong { tokens: tokens.ok(), budget }),
        (_, Truncation::Auto) => shortened(material, budget, &gauge).await,
    }
}

async fn shortened(material: &Material, budget: u32, gauge: &Gauge<'_>) -> Result<(Prompt, u32), Refusal> {
    let too_long = |tokens: Option<u32>| Refusal::ContextTooLong { tokens, budget };
    let (older, current) = material.history.split_at(current_turn(&material.history, &material.input));
    let alone = gauge.tokens(&material.prompt(current)).await.map_err(|error| uncounted(error, budget))?;
    let mut costs = Vec::with_capacity(older.len());
    for item in older {
        costs.push(gauge.cost(item).await);
    }
    let mut first = newest_that_fit(&costs, alone, budget).ok_or_else(|| too_long(Some(alone)))?;
    // Items cost a little more together than the sum says where a call had to be answered.
    loop {
        let prompt = material.prompt(&material.history[first..]);
        match gauge.tokens(&prompt).await {
            Ok(tokens) if tokens <= budget => return Ok((prompt, tokens)),
            tokens if first == older.len() => return Err(too_long(tokens.ok())),
            Err(TokenError::Failed) => return Err(Refusal::Uncountable),
            Ok(_) | Err(TokenError::TooMany) => first += 1,
        }
    }
}

fn uncounted(error: TokenError, budget: u32) -> Refusal {
    match error {
        TokenError::TooMany => Refusal::ContextTooLong { tokens: None, budget },
        TokenError::Failed => Refusal::Uncountable,
    }
}
