//! What the provider of a response is asked, and where: planned when the response is accepted, and once more by a
//! process that finds it in the store.

use std::{sync::Arc, time::Duration};

use super::{Node, check_without_input, history, open_page};
use crate::domain::{Cause, Model, PromptParts, RunPlan, output_room};
use crate::journal::Log;
use crate::protocol::{Item, ResponseId};
use crate::refusal::Refusal;
use crate::store::{ItemQuery, ItemSide, SortOrder};
use crate::tokens::{FittedPrompt, PromptBudget, PromptError, TokenCounter};
use crate::vault::ResponseKey;

/// The pause between two looks at what can't be read now doubles from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How often the database may answer with an error before that is how the response ends.
const MOST_ERRORS: u32 = 5;

/// More items than the body of a request can hold.
const MOST_ITEMS: u32 = 1 << 30;

/// What a response goes on from.
#[derive(Clone, Copy)]
pub(crate) struct Conversation<'a> {
    /// What was said before, oldest first.
    pub(crate) history: &'a [Item],
    /// The input of its request.
    pub(crate) input: &'a [Item],
}

/// Fills in what a plan says of its provider: the prompt, its tokens, the tokenizer, and the targets with room for it.
///
/// # Errors
/// [`PromptError`], if no prompt fits the model.
pub(crate) async fn plan_prompt(
    counter: &dyn TokenCounter,
    model: &Model,
    Conversation { history, input }: Conversation<'_>,
    plan: &mut RunPlan,
) -> Result<(), PromptError> {
    let request = Arc::clone(&plan.request);
    let parts = PromptParts { response: plan.id, request: &request, history, input };
    let FittedPrompt { prompt, tokens } = PromptBudget::of(counter, model, &request).await?.fit(&parts).await?;
    plan.prompt = Arc::new(prompt);
    plan.prompt_tokens = tokens;
    plan.encoding = model.encoding;
    plan.targets = model.targets(tokens.saturating_add(output_room(model.context_window, request.max_output_tokens)));
    Ok(())
}

/// Plans an accepted response once more from what the store holds of it, as soon as the database answers.
///
/// # Errors
/// The cause that the response ends with.
pub(crate) async fn rebuild_plan(node: Arc<Node>, mut plan: RunPlan) -> Result<RunPlan, Cause> {
    let model = node.models.get(&plan.request.model).ok_or(Cause::ModelUnavailable)?;
    let (history, input) = read_patiently(&node, &plan).await?;
    let accepted_tokens = plan.prompt_tokens;
    let conversation = Conversation { history: &history, input: &input };
    if let Err(error) = plan_prompt(node.token_counter.as_ref(), &model, conversation, &mut plan).await {
        tracing::warn!(response.id = %plan.id, error = %error, "an accepted response can't be run any more");
        return Err(match error {
            PromptError::TooLong { .. } => Cause::ContextLengthExceeded,
            PromptError::Uncountable => Cause::InternalError,
        });
    }
    // The store has the count of its acceptance.
    plan.prompt_tokens = accepted_tokens;
    let _unsupported = node.keep_able(&mut plan.targets, &plan.request);
    if plan.targets.is_empty() { Err(Cause::ModelUnavailable) } else { Ok(plan) }
}

/// The history and the input of an accepted response, as soon as they can be read: a database that is away, or a key that
/// is missing, says nothing of the response.
async fn read_patiently(node: &Node, plan: &RunPlan) -> Result<(Vec<Item>, Vec<Item>), Cause> {
    let (mut pause, mut errors) = (FIRST_PAUSE, 0);
    loop {
        // A database that the journal knows to be away is not asked, and each look that fails is a line of log.
        if !node.journal.is_away() {
            match read(node, plan).await {
                Ok(read) => return Ok(read),
                Err(Refusal::NotFound | Refusal::StillRunning(_)) => return Err(Cause::HistoryUnavailable),
                Err(refusal) if refusal.is_retryable() => {}
                Err(_) if errors + 1 < MOST_ERRORS => errors += 1,
                Err(_) => return Err(Cause::InternalError),
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The history and the input of an accepted response.
async fn read(node: &Node, plan: &RunPlan) -> Result<(Vec<Item>, Vec<Item>), Refusal> {
    let history = match plan.request.previous_response_id {
        Some(previous) => history(node, plan.user, previous).await?.items,
        None => Vec::new(),
    };
    let key = node.vault.user_key(plan.user).await?.response_key(plan.id);
    let input = input(node, &key, plan.id).await?;
    Ok((history, input))
}

/// All of it at once: items of clients may share an id, and then pages would miss some.
async fn input(node: &Node, key: &ResponseKey, id: ResponseId) -> Result<Vec<Item>, Refusal> {
    let query =
        ItemQuery { response: id, side: ItemSide::Input, order: SortOrder::Ascending, after: None, limit: MOST_ITEMS };
    let page = node.store.responses.items(query.clone()).await?;
    if page.items.is_empty() {
        check_without_input(&Log::new(Arc::clone(&node.store.responses), key.clone(), id).for_node(&node.logs)).await?;
    }
    open_page(key, &query, &page)
}
