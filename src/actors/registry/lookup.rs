//! Reading a response that is not running here.

use std::sync::Arc;

use actix::Addr;

use super::{ResponseRegistry, recovery::ask, sweep::ask_sweep};
use crate::actors::{client_stream::ResponseOutcome, node::Node, response_supervisor::outcome};
use crate::domain::{OwnershipDecision, RecoveryWish, RetryHint, SettleReason, Transcript};
use crate::journal::{Log, LogError};
use crate::protocol::{Response, ResponseId, UserId};
use crate::refusal::Refusal;
use crate::store::ResponseRow;

/// A stored response and its log.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) row: ResponseRow,
    pub(crate) log: Log,
}

/// The stored response of that user. Another user's response counts as one that does not exist.
///
/// # Errors
/// [`Refusal::NotFound`] also if it is not stored.
pub(crate) async fn find(node: &Node, user: UserId, id: ResponseId) -> Result<Found, Refusal> {
    open(node, find_row(node, user, id).await?).await
}

async fn find_row(node: &Node, user: UserId, id: ResponseId) -> Result<ResponseRow, Refusal> {
    let row = node.store.responses.response(id).await?;
    row.filter(|row| row.user == user && row.stored).ok_or(Refusal::NotFound)
}

async fn open(node: &Node, row: ResponseRow) -> Result<Found, Refusal> {
    let key = node.vault.user_key(row.user).await?.response_key(row.id);
    let log = Log::new(Arc::clone(&node.store.responses), key, row.id).of_row(&row).for_user(&node.logs);
    Ok(Found { row, log })
}

/// The state of a stored response that did not run here when it was looked up.
#[derive(Debug)]
pub(super) enum AtRest {
    /// The response has ended.
    Ended(Box<Found>),
    /// The response runs here now: its owner was gone, and this node has resumed it.
    Running,
}

/// The stored response of that user. If its owner is gone it is recovered first; another node's only by a sweep, which
/// is asked for.
///
/// # Errors
/// As [`find`]; [`Refusal::OtherOwner`] if another node keeps it; [`Refusal::DatabaseUnavailable`] also if it could not
/// be recovered in time.
pub(super) async fn find_at_rest(
    node: Arc<Node>,
    registry: Addr<ResponseRegistry>,
    user: UserId,
    id: ResponseId,
    reason: SettleReason,
) -> Result<AtRest, Refusal> {
    // The key is not needed before the end: what is asked for is known to the recovery also while the key is missing.
    let row = find_row(&node, user, id).await?;
    if row.status.is_terminal() {
        return Ok(AtRest::Ended(Box::new(open(&node, row).await?)));
    }
    let recovered = async {
        match node.decide_about((&row.node, row.epoch), RecoveryWish::Request) {
            OwnershipDecision::Recover => ask(&registry, id, reason).await,
            OwnershipDecision::AwaitSweep => ask_sweep(&node, &registry, (id, &row.node), reason).await,
            OwnershipDecision::AwaitLease => Err(Refusal::NoLease),
            OwnershipDecision::Leave => Err(Refusal::OtherOwner),
        }
    };
    let recovered = tokio::time::timeout(node.settings.admission_wait(), recovered).await;
    recovered.map_err(|_| if row.node == node.name { Refusal::DatabaseUnavailable } else { Refusal::OtherOwner })??;
    let row = find_row(&node, user, id).await?;
    Ok(match row.status.is_terminal() {
        true => AtRest::Ended(Box::new(open(&node, row).await?)),
        false => AtRest::Running,
    })
}

/// A stored response as of now.
///
/// # Errors
/// As [`find`], and if the log can't be read.
pub(crate) async fn load_response(node: &Node, user: UserId, id: ResponseId) -> Result<Arc<Response>, Refusal> {
    let found = find(node, user, id).await?;
    if found.row.status.is_terminal() {
        return Ok(Arc::clone(&outcome_of(node, &found).await?.response));
    }
    fold(node, &found).await?.response().map(Arc::from).ok_or(Refusal::Internal)
}

/// How a stored response that has ended did so.
///
/// # Errors
/// As [`load_response`].
pub(super) async fn load_outcome(node: &Node, user: UserId, id: ResponseId) -> Result<Arc<ResponseOutcome>, Refusal> {
    outcome_of(node, &find(node, user, id).await?).await
}

async fn outcome_of(node: &Node, found: &Found) -> Result<Arc<ResponseOutcome>, Refusal> {
    let id = found.row.id;
    if let Some(outcome) = node.outcomes.lock().get(id) {
        return Ok(outcome);
    }
    let transcript = fold(node, found).await?;
    let outcome = outcome(&transcript, RetryHint::default()).map(Arc::new).ok_or(Refusal::Internal)?;
    let bytes = serde_json::to_vec(&*outcome.response).map_or(usize::MAX, |json| json.len());
    node.outcomes.lock().insert(id, &outcome, bytes);
    Ok(outcome)
}

async fn fold(node: &Node, found: &Found) -> Result<Transcript, Refusal> {
    match found.log.fold().await {
        Ok((transcript, _)) => Ok(transcript),
        Err(error @ (LogError::Store(_) | LogError::Busy)) => Err(Refusal::of_log(found.row.id, error)),
        // It may have been deleted meanwhile.
        Err(_) if node.store.responses.response(found.row.id).await?.is_none() => Err(Refusal::NotFound),
        Err(error) => Err(Refusal::of_log(found.row.id, error)),
    }
}
