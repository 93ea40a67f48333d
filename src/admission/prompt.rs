//! Making the history and the input fit the model.

use super::{Model, PromptCounter, Refusal};
use crate::domain::{Prompt, close_calls, newest_that_fit};
use crate::protocol::{Item, ResponseId, Truncation};
use crate::tokens::TokenError;

/// History and input before it is known what of the history fits.
pub(super) struct Material {
    pub(super) response: ResponseId,
    pub(super) instructions: Option<String>,
    /// Oldest first.
    pub(super) history: Vec<Item>,
    /// Never shortened.
    pub(super) input: Vec<Item>,
    pub(super) truncation: Truncation,
}

impl Material {
    /// The whole of it, every call answered.
    fn prompt(&self, history: &[Item]) -> Prompt {
        let items = close_calls(self.response, history, &self.input);
        Prompt { instructions: self.instructions.clone(), items }
    }
}

/// The prompt and its tokens.
pub(super) async fn fit(
    material: &Material,
    model: &Model,
    budget: u32,
    counter: &dyn PromptCounter,
) -> Result<(Prompt, u32), Refusal> {
    let prompt = material.prompt(&material.history);
    let tokens = counter.prompt_tokens(model.encoding, &prompt).await;
    match (tokens, material.truncation) {
        (Ok(tokens), _) if tokens <= budget => Ok((prompt, tokens)),
        (Err(TokenError::Failed), _) => Err(Refusal::Uncountable),
        (tokens, Truncation::Disabled) => Err(Refusal::ContextTooLong { tokens: tokens.ok(), budget }),
        (_, Truncation::Auto) => shortened(material, model, budget, counter).await,
    }
}

async fn shortened(
    material: &Material,
    model: &Model,
    budget: u32,
    counter: &dyn PromptCounter,
) -> Result<(Prompt, u32), Refusal> {
    let too_long = |tokens: Option<u32>| Refusal::ContextTooLong { tokens, budget };
    let alone = counter.prompt_tokens(model.encoding, &material.prompt(&[])).await;
    let alone = alone.map_err(|error| match error {
        TokenError::TooMany => too_long(None),
        TokenError::Failed => Refusal::Uncountable,
    })?;
    let costs = costs(material, model, counter).await;
    let mut first = newest_that_fit(&costs, alone, budget).ok_or_else(|| too_long(Some(alone)))?;
    // Items cost a little more together than the sum says where a call had to be answered.
    loop {
        let prompt = material.prompt(&material.history[first..]);
        match counter.prompt_tokens(model.encoding, &prompt).await {
            Ok(tokens) if tokens <= budget => return Ok((prompt, tokens)),
            tokens if first == material.history.len() => return Err(too_long(tokens.ok())),
            Err(TokenError::Failed) => return Err(Refusal::Uncountable),
            Ok(_) | Err(TokenError::TooMany) => first += 1,
        }
    }
}

async fn costs(material: &Material, model: &Model, counter: &dyn PromptCounter) -> Vec<u32> {
    let mut costs = Vec::with_capacity(material.history.len());
    for item in &material.history {
        let alone = Prompt { instructions: None, items: vec![item.clone()] };
        costs.push(counter.prompt_tokens(model.encoding, &alone).await.unwrap_or(u32::MAX));
    }
    costs
}
