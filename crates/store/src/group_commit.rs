//! Group commit: changes of many responses in one transaction.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Error, ResponseRow, Segment, StoredItem, UsageRecord};
use antiphon_domain::{Cause, Idempotency, Timestamp};
use antiphon_protocol::{ResponseId, Status};

/// Writes responses.
///
/// [`commit`](GroupCommit::commit) is called by one journal writer per node, one group after the other. A restarted
/// writer submits again the entries that its predecessor had no answer for, while that earlier call may still take
/// effect. Calls may come from any runtime: a store runs its sockets on a runtime of its own, and the returned
/// futures need none.
#[async_trait]
pub trait GroupCommit: std::fmt::Debug + Send + Sync + 'static {
    /// Commits a group of entries in one transaction and returns the outcome of each, in order.
    ///
    /// Entries are independent: one that conflicts writes nothing and does not affect the others.
    ///
    /// # Errors
    /// An error means that it is not known whether the group was committed. Submitting the same entries
    /// again is always safe: what is already there in the same form counts as committed.
    async fn commit(&self, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, Error>;

    /// Checks that the database answers.
    async fn ping(&self) -> Result<(), Error>;
}

/// One change to commit.
#[derive(Debug, Clone, PartialEq)]
pub enum JournalEntry {
    /// A new response.
    Admit(Box<AdmissionRecord>),
    /// More of a response's log.
    Append(AppendRecord),
    /// A response's ending.
    End(Box<EndingRecord>),
    /// A new owner for a response whose owner is gone.
    Claim(ClaimRecord),
    /// Deletes a response, its items and its log. Its usage records and its idempotency key stay.
    /// Committed also if there is no such response.
    Delete(ResponseId),
}

impl JournalEntry {
    /// The response that the entry is about.
    #[must_use]
    pub fn response(&self) -> ResponseId {
        match self {
            Self::Admit(admission) => admission.row.id,
            Self::Append(append) => append.segment.response,
            Self::End(ending) => ending.id,
            Self::Claim(claim) => claim.id,
            Self::Delete(id) => *id,
        }
    }

    /// How many bytes of ciphertext the entry writes.
    #[must_use]
    pub fn content_bytes(&self) -> usize {
        let items = |items: &[StoredItem]| items.iter().map(|item| item.content.len()).sum::<usize>();
        match self {
            Self::Admit(admission) => {
                items(&admission.items) + admission.segment.as_ref().map_or(0, |first| first.bytes.len())
            }
            Self::Append(append) => append.segment.bytes.len(),
            Self::End(ending) => {
                let text = ending.content.as_ref().map_or(0, Bytes::len);
                let log = ending.last_segment.as_ref().map_or(0, |last| last.segment.bytes.len());
                items(&ending.items) + text + log
            }
            Self::Claim(_) | Self::Delete(_) => 0,
        }
    }
}

/// The outcome of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The entry is durable (also if it was already there in the same form).
    Committed,
    /// The entry was not written and never will be.
    Conflict(Conflict),
}

/// Why an entry could not be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The response does not exist.
    #[error("the response does not exist")]
    Missing,
    /// The response has ended.
    #[error("the response has ended")]
    Ended,
    /// The response belongs to another epoch, or can't be claimed from its owner.
    #[error("the response has another owner")]
    Owner,
    /// The log does not end where the segment begins, or holds other bytes there.
    #[error("the segment does not continue the log")]
    Position,
    /// Another response has claimed the idempotency key.
    #[error("another response has the idempotency key")]
    KeyTaken,
    /// The response that a new one continues does not exist.
    #[error("the response to continue does not exist")]
    PreviousMissing,
    /// The user of a new response does not exist, or is being deleted.
    #[error("the user does not exist or is being deleted")]
    UserDeleted,
}

/// A new response.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmissionRecord {
    /// Its plain columns; the status is not terminal.
    pub row: ResponseRow,
    /// Its input. Empty if the response is not stored.
    pub items: Vec<StoredItem>,
    /// The first segment of its log; it begins with fact 0. None if the response is not stored.
    pub segment: Option<Segment>,
    /// The idempotency key that it claims for its user. If another response has it, nothing of the admission is
    /// written.
    pub idempotency: Option<Idempotency>,
}

/// More of a response's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendRecord {
    /// The owner's epoch.
    pub epoch: i64,
    /// The number of the first fact of the segment before this one.
    pub after: u64,
    /// Whether the response begins with this segment: then its status becomes in progress.
    pub begins: bool,
    /// The segment.
    pub segment: Segment,
}

/// A response's ending: all of it is written or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct EndingRecord {
    /// The response.
    pub id: ResponseId,
    /// The owner's epoch.
    pub epoch: i64,
    /// The terminal status.
    pub status: Status,
    /// Why it did not complete.
    pub cause: Option<Cause>,
    /// The provider's finish reason, or `cancelled`.
    pub finish_reason: Option<String>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The encrypted text of the answer; none if there is none or the response is not stored.
    pub content: Option<Bytes>,
    /// The end of its log. None if the response is not stored.
    pub last_segment: Option<LastSegment>,
    /// The output. Empty if the response is not stored.
    pub items: Vec<StoredItem>,
    /// What each turn used.
    pub usage: Vec<UsageRecord>,
    /// Whether the response releases the idempotency key that it claimed, if it did.
    pub releases_key: bool,
}

/// The segment that a log ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSegment {
    /// The number of the first fact of the segment before it.
    pub after: u64,
    /// The segment.
    pub segment: Segment,
}

/// A new owner for a response whose owner is gone.
///
/// It is committed only if the response still has the old owner's epoch, the new owner has a lease under its epoch,
/// and the old owner is the same node or has no lease; else it is [`Conflict::Owner`]. A response that the new owner
/// already has stays with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRecord {
    /// The response.
    pub id: ResponseId,
    /// The epoch of the owner that is gone.
    pub from_epoch: i64,
    /// The new owner's node.
    pub node: String,
    /// The new owner's epoch.
    pub epoch: i64,
    /// The version of the fold that the new owner writes for. The response's own is raised to it, never lowered.
    pub fold_version: i16,
}
