//! Ending a response that lost its supervisor, from its log alone.

use std::{collections::BTreeMap, sync::Arc};

use super::recovered::{Recovered, RecoveryError};
use crate::actors::{
    journal_writer::Written,
    node::Node,
    persistence_accumulator::{LogEnd, ResponseOwner, seal_ending},
    response_supervisor::{Estimate, UsageOwner, finish_draft, usage_records},
};
use crate::domain::{
    Encoding, EndingForm, FOLD_VERSION, Fact, RecoveryTry, SettleReason, Transcript, UnreportedTurn, UsageEstimates,
};
use crate::fault::{self, FaultPoint};
use crate::journal::{Log, LogError};
use crate::protocol::ResponseId;
use crate::store::{ClaimRecord, Conflict, EndingRecord, JournalEntry, ResponseRow};

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

/// Claims a response for this node, from the owner that it had when it was looked at.
///
/// # Errors
/// The database's.
pub(super) async fn claim(node: &Node, epoch: i64, id: ResponseId, from_epoch: i64) -> Result<Claimed, RecoveryError> {
    // The claim goes through the journal after all entries that the former owner had submitted: what is missing then
    // does not arrive later.
    let claim = ClaimRecord { id, from_epoch, node: node.name.clone(), epoch, fold_version: FOLD_VERSION };
    match node.journal.write(JournalEntry::Claim(claim)).await {
        Written::Committed => {}
        Written::Conflict(Conflict::Missing | Conflict::Ended) => return Ok(Claimed::Over),
        Written::Conflict(
            Conflict::Owner
            | Conflict::Position
            | Conflict::KeyTaken
            | Conflict::PreviousMissing
            | Conflict::UserDeleted,
        ) => return Ok(Claimed::Taken),
        Written::Failed => return Err(RecoveryError::Refused),
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

impl Folded {
    /// Folds what was appended to the log since.
    ///
    /// # Errors
    /// If the log can't be read.
    pub(super) async fn rest(self) -> Result<Self, LogError> {
        let (transcript, last) = self.log.fold_rest(self.transcript).await?;
        Ok(Self { transcript, last_segment: last.unwrap_or(self.last_segment), log: self.log })
    }
}

/// Folds the log of a stored response.
///
/// # Errors
/// If the log can't be read.
pub(super) async fn fold(node: &Node, row: &ResponseRow) -> Result<Folded, LogError> {
    let key = node.vault.user_key(row.user).await?.response_key(row.id);
    let log = Log::new(Arc::clone(&node.store.responses), key, row.id).for_node(&node.logs);
    let (transcript, last_segment) = log.fold().await?;
    Ok(Folded { log, transcript, last_segment })
}

/// Ends a response that this node owns.
///
/// # Errors
/// If its ending can't be made or is refused. It is never ended in another way for that.
pub(super) async fn settle(
    node: &Node,
    epoch: i64,
    row: &ResponseRow,
    folded: Option<Folded>,
    next: RecoveryTry,
) -> Result<Recovered, RecoveryError> {
    let ending = match folded {
        Some(folded) => settled_ending(node, epoch, row, folded, next.reason).await.map_err(RecoveryError::Seal)?,
        // It is not stored.
        None => EndingRecord {
            releases_key: next.reason.releases_key(None),
            ..EndingRecord::without_log(row, next.reason.verdict().ending(), node.clock.now())
        },
    };
    let status = ending.status.as_str();
    let minimal = match next.ending {
        EndingForm::Whole => None,
        EndingForm::WholeOrMinimal => Some(EndingRecord { content: None, items: Vec::new(), ..ending.clone() }),
    };
    let mut written = node.journal.write(JournalEntry::End(Box::new(ending))).await;
    let mut is_whole = true;
    if let (Written::Failed, Some(minimal)) = (&written, minimal) {
        written = node.journal.write(JournalEntry::End(Box::new(minimal))).await;
        is_whole = false;
    }
    fault::reach(FaultPoint::LeftoverSettled);
    match written {
        Written::Committed => {
            let (id, reason) = (row.id, next.reason);
            tracing::warn!(response.id = %id, status, reason = ?reason, is_whole, "response settled from its log");
            Ok(Recovered::Over)
        }
        Written::Conflict(Conflict::Missing | Conflict::Ended) => Ok(Recovered::Over),
        Written::Conflict(Conflict::Owner) => Ok(Recovered::Taken),
        Written::Conflict(
            Conflict::Position | Conflict::KeyTaken | Conflict::PreviousMissing | Conflict::UserDeleted,
        )
        | Written::Failed => Err(RecoveryError::Refused),
    }
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
    let mut draft = finish_draft(&transcript, ResponseOwner { id: row.id, epoch }, usage).ok_or(LogError::Gap)?;
    draft.ending.releases_key = reason.releases_key(Some(&transcript));
    seal_ending(log.key(), &draft, log_end, &facts)
}

/// The output tokens of the turns whose provider reported none.
async fn estimates(node: &Node, transcript: &Transcript) -> UsageEstimates {
    let mut output_tokens = BTreeMap::new();
    for UnreportedTurn { turn, text } in transcript.unreported_turns() {
        output_tokens.insert(turn, node.estimate(Encoding::default(), text).await);
    }
    UsageEstimates { output_tokens }
}
