//! Making the history and the input fit the model.

use super::{Model, PromptCounter, Refusal};
use crate::domain::{Encoding, Prompt, PromptParts, newest_that_fit};
use crate::protocol::{Item, Tool, Truncation};
use crate::tokens::TokenError;

/// Counts for a model.
struct PromptBudget<'a> {
    encoding: Encoding,
    counter: &'a dyn PromptCounter,
    /// Tokens of what stands beside every prompt of the request.
    beside: u32,
    /// The most tokens of prompt and what stands beside it.
    most: u32,
}

impl PromptBudget<'_> {
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
    parts: &PromptParts<'_>,
    model: &Model,
    counter: &dyn PromptCounter,
) -> Result<(Prompt, u32), Refusal> {
    let (encoding, request) = (model.encoding, parts.request);
    let most = model.context_window.saturating_sub(request.max_output_tokens);
    let tools: Vec<Tool> = request.callable_tools().into_iter().cloned().collect();
    let beside = counter.definition_tokens(encoding, &tools, &request.text.format).await;
    let beside = beside.map_err(|error| uncounted(error, most))?;
    let budget = PromptBudget { encoding, counter, beside, most };
    let prompt = parts.prompt_from(0);
    match (budget.tokens(&prompt).await, request.truncation) {
        (Ok(tokens), _) if tokens <= most => Ok((prompt, tokens)),
        (Err(TokenError::Failed), _) => Err(Refusal::Uncountable),
        (tokens, Truncation::Disabled) => Err(Refusal::ContextTooLong { tokens: tokens.ok(), budget: most }),
        (_, Truncation::Auto) => shortened(parts, &budget).await,
    }
}

async fn shortened(parts: &PromptParts<'_>, budget: &PromptBudget<'_>) -> Result<(Prompt, u32), Refusal> {
    let too_long = |tokens: Option<u32>| Refusal::ContextTooLong { tokens, budget: budget.most };
    let current = parts.current_turn();
    let alone = budget.tokens(&parts.prompt_from(current)).await.map_err(|error| uncounted(error, budget.most))?;
    let mut costs = Vec::with_capacity(current);
    for item in parts.history.iter().take(current) {
        costs.push(budget.cost(item).await);
    }
    let mut first = newest_that_fit(&costs, alone, budget.most).ok_or_else(|| too_long(Some(alone)))?;
    // Items cost a little more together than the sum says where a call had to be answered.
    loop {
        let prompt = parts.prompt_from(first);
        match budget.tokens(&prompt).await {
            Ok(tokens) if tokens <= budget.most => return Ok((prompt, tokens)),
            tokens if first == current => return Err(too_long(tokens.ok())),
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
