//! Planning an accepted response again from what is stored of it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{HistoryError, Node, history, open_item};
use crate::domain::{Cause, Encoding, Prompt, Request, Target};
use crate::protocol::{Item, ResponseId, UserId};
use crate::refusal::Refusal;
use crate::store::{ItemQuery, ItemSide, SortOrder};
use crate::vault::ResponseKey;

/// The pause between two reads while the database is unavailable.
const PAUSE: Duration = Duration::from_millis(250);

/// More items than the body of a request can hold.
const MOST_ITEMS: u32 = 1 << 30;

/// Plans the prompt and the targets of accepted responses. A node without a planner can't run responses that an
/// earlier process had accepted and not begun.
#[async_trait]
pub trait Planner: fmt::Debug + Send + Sync + 'static {
    /// The model of that name, as far as a running response needs it.
    fn model(&self, name: &str) -> Option<KnownModel>;

    /// The most items that a plan's history has.
    fn history_items(&self) -> usize;

    /// Plans a response from what is stored of it.
    ///
    /// # Errors
    /// [`PlanRefusal`]: the response can't be run any more.
    async fn plan(&self, accepted: Accepted) -> Result<PlannedRun, PlanRefusal>;
}

/// A model that clients can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownModel {
    /// The encoding of its tokenizer.
    pub encoding: Encoding,
    /// The targets that serve it.
    pub targets: Vec<Target>,
}

/// An accepted response as it is stored.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The response.
    pub id: ResponseId,
    /// What was asked for.
    pub request: Request,
    /// The input of the request.
    pub input: Vec<Item>,
    /// The items of the conversation before it, oldest first.
    pub history: Vec<Item>,
}

/// The prompt and the targets of a response.
#[derive(Debug, Clone)]
pub struct PlannedRun {
    /// History and input.
    pub prompt: Prompt,
    /// The targets; at least one.
    pub targets: Vec<Target>,
    /// The encoding of the model's tokenizer.
    pub encoding: Encoding,
}

/// Why an accepted response can't be planned any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanRefusal {
    /// The model is not configured any more.
    #[error("the model is not configured any more")]
    UnknownModel,
    /// The prompt no longer fits into the model's context.
    #[error("the prompt does not fit into the model's context")]
    TooLong,
    /// The server could not build the plan.
    #[error("the prompt could not be planned")]
    Failed,
}

impl PlanRefusal {
    fn cause(self) -> Cause {
        match self {
            Self::UnknownModel => Cause::ModelUnavailable,
            Self::TooLong => Cause::ContextLengthExceeded,
            Self::Failed => Cause::InternalError,
        }
    }
}

/// Plans a response from what is stored of it, once the database answers.
///
/// # Errors
/// The cause that the response ends with.
pub(crate) async fn plan_again(
    node: Arc<Node>,
    user: UserId,
    id: ResponseId,
    request: Request,
) -> Result<PlannedRun, Cause> {
    let planner = node.planner.clone().ok_or(Cause::ServerInterrupted)?;
    let accepted = loop {
        match read(&node, user, id, (&request, planner.history_items())).await {
            Ok(accepted) => break accepted,
            Err(HistoryError::Read(Refusal::DatabaseUnavailable)) => tokio::time::sleep(PAUSE).await,
            Err(HistoryError::NotFound | HistoryError::StillRunning) => return Err(Cause::HistoryUnavailable),
            Err(HistoryError::Read(_)) => return Err(Cause::InternalError),
        }
    };
    planner.plan(accepted).await.map_err(|refusal| {
        tracing::warn!(response.id = %id, error = %refusal, "an accepted response can't be run any more");
        refusal.cause()
    })
}

async fn read(
    node: &Node,
    user: UserId,
    id: ResponseId,
    (request, most): (&Request, usize),
) -> Result<Accepted, HistoryError> {
    let history = match request.previous_response_id {
        Some(previous) => history(node, user, previous, most).await?.items,
        None => Vec::new(),
    };
    let key = node.vault.user_key(user).await.map_err(Refusal::from)?.response_key(id);
    let input = input(node, &key, id).await.map_err(HistoryError::Read)?;
    Ok(Accepted { id, request: request.clone(), input, history })
}

/// Reads the whole input at once: items may share an id, and then pages would miss some.
async fn input(node: &Node, key: &ResponseKey, id: ResponseId) -> Result<Vec<Item>, Refusal> {
    let query =
        ItemQuery { response: id, side: ItemSide::Input, order: SortOrder::Ascending, after: None, limit: MOST_ITEMS };
    let page = node.store.responses.items(query).await?;
    page.items.iter().map(|item| open_item(key, item)).collect()
}
