//! Ending a response whose supervisor is gone, from its log alone.

use std::{sync::Arc, time::Duration};

use crate::access;
use crate::actors::{
    journal_writer::Written,
    node::Node,
    persistence_accumulator::seal_ending,
    response_supervisor::{Estimate, ReadRefusal, finish_draft, usage_records},
};
use crate::domain::{Attempt, Cause, Encoding, Fact, Timestamp, Transcript};
use crate::journal::{Log, LogError};
use crate::protocol::{ResponseId, Status, Usage};
use crate::store::{Claim, Conflict, Ending, Entry, Error, ResponseRow, UsageRecord};
use crate::vault;

const PAUSE: Duration = Duration::from_millis(250);

/// The provider's name in the usage record of a response whose log does not say it.
const UNKNOWN_PROVIDER: &str = "unknown";

/// Why a response is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its supervisor failed.
    SupervisorFailed,
    /// The process, or the registry, that ran it is gone.
    NodeLost,
    /// Somebody asked to cancel it.
    Cancelled,
}

/// Brings a response to its end if it has none, as often as it takes: whoever else works on it is
/// noticed, and an absent database is waited for.
pub(super) async fn settle(node: Arc<Node>, epoch: i64, id: ResponseId, reason: Reason) {
    loop {
        match settle_once(&node, epoch, id, reason).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::warn!(response.id = %id, error = %error, "a response waits to be settled"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Settles a response that somebody waits for. One that another node owns is left to it.
pub(super) async fn settle_now(
    node: &Arc<Node>,
    epoch: i64,
    row: &ResponseRow,
    reason: Reason,
) -> Result<(), ReadRefusal> {
    if row.node != node.name {
        return Err(ReadRefusal::Unavailable);
    }
    let settled = settle(Arc::clone(node), epoch, row.id, reason);
    tokio::time::timeout(node.settings.admission_patience, settled).await.map_err(|_| ReadRefusal::Unavailable)
}

/// True if the response has its ending, or is gone.
async fn settle_once(node: &Arc<Node>, epoch: i64, id: ResponseId, reason: Reason) -> Result<bool, Error> {
    // The claim goes through the journal behind all that the former owner had submitted: what it finds
    // missing is not still on its way.
    let from_epoch = node.store.response(id).await?.map_or(epoch, |row| row.epoch);
    let claim = Claim { id, from_epoch, node: node.name.clone(), epoch };
    match node.journal.write(Entry::Claim(claim)).await {
        Written::Committed => {}
        Written::Conflict(Conflict::Missing | Conflict::Ended) => return Ok(true),
        Written::Conflict(Conflict::Owner | Conflict::Place) | Written::Failed => return Ok(false),
    }
    let Some(row) = node.store.response(id).await?.filter(|row| !row.status.is_terminal()) else { return Ok(true) };
    let ending = match ending(node, epoch, &row, reason).await {
        Ok(ending) => ending,
        Err(LogError::Store(error) | LogError::Vault(vault::Error::Accounts(access::Error::Store(error)))) => {
            return Err(error);
        }
        Err(error @ LogError::Vault(vault::Error::Ring(_) | vault::Error::Randomness)) => {
            tracing::warn!(response.id = %id, error = %error, "a response waits to be settled");
            return Ok(false);
        }
        Err(error @ (LogError::Vault(_) | LogError::Codec(_) | LogError::Gap)) => {
            tracing::error!(response.id = %id, error = %error, "a response is settled without its log");
            plain(node, epoch, &row, reason)
        }
    };
    tracing::warn!(response.id = %id, status = ending.status.as_str(), reason = ?reason, "response settled from its log");
    Ok(node.journal.write(Entry::End(Box::new(ending))).await == Written::Committed)
}

async fn ending(node: &Arc<Node>, epoch: i64, row: &ResponseRow, reason: Reason) -> Result<Ending, LogError> {
    if !row.stored {
        return Ok(plain(node, epoch, row, reason));
    }
    let key = node.vault.user_key(row.user).await?.response_key(row.id);
    let log = Log::new(Arc::clone(&node.store), key, row.id);
    let (mut transcript, last_segment) = log.fold().await?;
    let first = transcript.facts();
    let at = node.clock.now();
    let facts = [fact(node, reason), Fact::Ended { at }];
    for fact in facts.clone() {
        transcript.apply(fact, &mut Vec::new());
    }
    let estimate = estimate(node, row, &transcript).await;
    let who = (row.id, row.user, row.model.as_str());
    let usage = usage_records(&transcript, who, estimate, at);
    let draft = finish_draft(&transcript, (row.id, epoch), usage).ok_or(LogError::Gap)?;
    seal_ending(log.key(), draft, (last_segment, first), &facts)
}

/// The ending of a response that has no log, or none that can be read.
fn plain(node: &Arc<Node>, epoch: i64, row: &ResponseRow, reason: Reason) -> Ending {
    let (status, cause) = match reason {
        Reason::SupervisorFailed => (Status::Failed, Some(Cause::InternalError)),
        Reason::NodeLost => (Status::Failed, Some(Cause::ServerInterrupted)),
        Reason::Cancelled => (Status::Cancelled, None),
    };
    let at = node.clock.now();
    let finish_reason = (reason == Reason::Cancelled).then(|| "cancelled".to_owned());
    Ending {
        id: row.id,
        epoch,
        status,
        cause,
        finish_reason,
        ended_at: at,
        content: None,
        segment: None,
        items: Vec::new(),
        usage: vec![usage(row, at)],
    }
}

/// What a response without a log used: its prompt, which was counted when it was admitted.
fn usage(row: &ResponseRow, at: Timestamp) -> UsageRecord {
    let input_tokens = u64::try_from(row.prompt_tokens).unwrap_or(0);
    UsageRecord {
        response: row.id,
        user: row.user,
        turn: Attempt::FIRST.turn,
        provider: UNKNOWN_PROVIDER.to_owned(),
        model: row.model.clone(),
        usage: Usage { input_tokens, total_tokens: input_tokens, ..Usage::default() },
        estimated: true,
        at,
    }
}

fn fact(node: &Node, reason: Reason) -> Fact {
    let at = node.clock.now();
    match reason {
        Reason::SupervisorFailed => Fact::ServerFailed { at, cause: Cause::InternalError },
        Reason::NodeLost => Fact::NodeLost { at },
        Reason::Cancelled => Fact::CancelRequested { at },
    }
}

async fn estimate(node: &Node, row: &ResponseRow, transcript: &Transcript) -> Estimate {
    let output = match transcript.written() {
        Some(text) => node.estimate(Encoding::default(), text).await,
        None => 0,
    };
    Estimate { input: u64::try_from(row.prompt_tokens).unwrap_or(0), output }
}
