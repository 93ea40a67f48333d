//! Ending a response whose supervisor is gone, from its log alone.

use std::{sync::Arc, time::Duration};

use crate::actors::{
    journal_writer::Written,
    node::Node,
    persistence_accumulator::seal_ending,
    response_supervisor::{Estimate, finish_draft, usage_records},
};
use crate::domain::{Cause, Encoding, Fact, Transcript};
use crate::journal::{Log, LogError};
use crate::protocol::{ResponseId, Status};
use crate::store::{Claim, Ending, Entry, Error, ResponseRow};

const PAUSE: Duration = Duration::from_millis(250);

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

/// True if the response has its ending, or is gone.
async fn settle_once(node: &Arc<Node>, epoch: i64, id: ResponseId, reason: Reason) -> Result<bool, Error> {
    let Some(row) = node.store.response(id).await?.filter(|row| !row.status.is_terminal()) else { return Ok(true) };
    if row.epoch != epoch {
        let claim = Claim { id, from_epoch: row.epoch, node: node.name.clone(), epoch };
        if node.journal.write(Entry::Claim(claim)).await != Written::Committed {
            return Ok(false);
        }
    }
    let ending = match ending(node, epoch, &row, reason).await {
        Ok(ending) => ending,
        Err(LogError::Store(error)) => return Err(error),
        Err(error) => {
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
    let finish_reason = (reason == Reason::Cancelled).then(|| "cancelled".to_owned());
    Ending {
        id: row.id,
        epoch,
        status,
        cause,
        finish_reason,
        ended_at: node.clock.now(),
        content: None,
        segment: None,
        items: Vec::new(),
        usage: Vec::new(),
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
    let output = match transcript.text() {
        Some(text) => node.tokens.estimate(Encoding::default(), text).await,
        None => 0,
    };
    Estimate { input: u64::try_from(row.prompt_tokens).unwrap_or(0), output }
}
