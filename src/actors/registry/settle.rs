//! Ending a response that lost its supervisor, from its log alone.

use std::{collections::BTreeMap, sync::Arc};

use crate::actors::{
    journal_writer::Written,
    node::Node,
    persistence_accumulator::{LogEnd, ResponseOwner, seal_ending},
    response_supervisor::{Estimate, UsageOwner, bare_ending, finish_draft, usage_records},
};
use crate::domain::{Attempt, Encoding, Fact, SettleReason, Timestamp, Transcript, UnreportedTurn, UsageEstimates};
use crate::fault::{self, FaultPoint};
use crate::journal::{Log, LogError};
use crate::protocol::{ResponseId, Usage};
use crate::store::{ClaimRecord, Conflict, EndingRecord, Error, JournalEntry, ResponseRow, UsageRecord};

/// The provider's name in the usage record of a response whose log does not have it.
const UNKNOWN_PROVIDER: &str = "unknown";

/// The result of claiming a response.
#[derive(Debug)]
pub(super) enum Claimed {
    /// This node owns the response now.
    Mine(ResponseRow),
    /// The response has its ending, or was deleted.
    Over,
    /// Another owner has the response.
    Taken,
}

/// Claims a response for this node.
///
/// # Errors
/// The database's.
pub(super) async fn claim(node: &Node, epoch: i64, id: ResponseId) -> Result<Claimed, Error> {
    // The claim goes through the journal after all entries that the former owner had submitted: what is missing then
    // does not arrive later.
    let from_epoch = node.store.responses.response(id).await?.map_or(epoch, |row| row.epoch);
    let claim = ClaimRecord { id, from_epoch, node: node.name.clone(), epoch };
    match node.journal.write(JournalEntry::Claim(claim)).await {
        Written::Committed => {}
        Written::Conflict(Conflict::Missing | Conflict::Ended) => return Ok(Claimed::Over),
        Written::Conflict(Conflict::Owner | Conflict::Position | Conflict::KeyTaken) | Written::Failed => {
            return Ok(Claimed::Taken);
        }
    }
    let row = node.store.responses.response(id).await?.filter(|row| !row.status.is_terminal());
    Ok(row.map_or(Claimed::Over, Claimed::Mine))
}

/// The log of a stored response, and its fold.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) log: Log,
    pub(super) transcript: Transcript,
    /// Where its last segment begins.
    pub(super) last_segment: u64,
}

/// Folds the log of a stored response.
///
/// # Errors
/// If the log can't be read.
pub(super) async fn fold(node: &Node, row: &ResponseRow) -> Result<Folded, LogError> {
    let key = node.vault.user_key(row.user).await?.response_key(row.id);
    let log = Log::new(Arc::clone(&node.store.responses), key, row.id);
    let (transcript, last_segment) = log.fold().await?;
    Ok(Folded { log, transcript, last_segment })
}

/// Ends a response that this node owns. Returns whether it has its ending now.
pub(super) async fn settle(
    node: &Node,
    epoch: i64,
    row: &ResponseRow,
    folded: Option<Folded>,
    reason: SettleReason,
) -> bool {
    let ending = match folded {
        Some(folded) => settled_ending(node, epoch, row, folded, reason).await,
        None => Ok(unreadable_ending(node, epoch, row, reason)),
    };
    let ending = ending.unwrap_or_else(|error| {
        tracing::error!(response.id = %row.id, error = %error, "a response is settled without its log");
        unreadable_ending(node, epoch, row, reason)
    });
    tracing::warn!(
        response.id = %row.id,
        status = ending.status.as_str(),
        reason = ?reason,
        "response settled from its log"
    );
    let written = node.journal.write(JournalEntry::End(Box::new(ending))).await;
    fault::reach(FaultPoint::LeftoverSettled);
    written == Written::Committed
}

/// The ending of a response, from the fold of its log.
async fn settled_ending(
    node: &Node,
    epoch: i64,
    row: &ResponseRow,
    folded: Folded,
    reason: SettleReason,
) -> Result<EndingRecord, LogError> {
    let Folded { log, mut transcript, last_segment } = folded;
    let log_end = LogEnd { facts: transcript.facts(), last_segment };
    let at = node.clock.now();
    let facts = [reason.fact(at), Fact::Ended { at }];
    for fact in facts.clone() {
        transcript.apply(fact, &mut Vec::new());
    }
    let estimates = estimates(node, &transcript).await;
    let estimate = Estimate { input: u64::try_from(row.prompt_tokens).unwrap_or(0), output: &estimates };
    let owner = UsageOwner { response: row.id, user: row.user, model: &row.model };
    let usage = usage_records(&transcript, owner, &estimate, at);
    let draft = finish_draft(&transcript, ResponseOwner { id: row.id, epoch }, usage).ok_or(LogError::Gap)?;
    seal_ending(log.key(), draft, log_end, &facts)
}

/// The ending of a response that has no log, or none that can be read.
fn unreadable_ending(node: &Node, epoch: i64, row: &ResponseRow, reason: SettleReason) -> EndingRecord {
    let at = node.clock.now();
    let owner = ResponseOwner { id: row.id, epoch };
    bare_ending(owner, reason.verdict().ending(), at, vec![usage(row, at)])
}

/// The usage of a response without a log: its prompt, which was counted at admission.
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

/// The output tokens of the turns whose provider reported none.
async fn estimates(node: &Node, transcript: &Transcript) -> UsageEstimates {
    let mut output_tokens = BTreeMap::new();
    for UnreportedTurn { turn, text } in transcript.unreported_turns() {
        output_tokens.insert(turn, node.estimate(Encoding::default(), text).await);
    }
    UsageEstimates { output_tokens }
}
