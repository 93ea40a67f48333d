//! What the actors need of a database.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::{Cause, Idempotency, Timestamp};
use crate::protocol::{ItemId, ResponseId, Status, Usage, UserId};

/// The record of all responses.
///
/// Reads may run at any time and side by side; [`commit`](Store::commit) is called by one journal writer
/// per node, one group after the other. A writer that was started again submits again what its predecessor had not been
/// told of, while that call may still have its effect. Calls may come from any runtime: an adapter runs its sockets on a
/// runtime of its own and the returned futures need none.
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync + 'static {
    /// Commits a group of entries in one transaction and says for each, in order, what became of it.
    ///
    /// Every entry stands alone: one that conflicts leaves nothing behind and does not disturb the others.
    ///
    /// # Errors
    /// An error means that it is not known whether the group was committed. Submitting the same entries
    /// again is always safe: what is already there in the same form counts as committed.
    async fn commit(&self, group: &[Entry]) -> Result<Vec<CommitOutcome>, Error>;

    /// The plain columns of a response.
    async fn response(&self, id: ResponseId) -> Result<Option<ResponseRow>, Error>;

    /// At most `limit` segments of a response's log, in order, from the one that holds fact number `from` on.
    async fn segments(&self, id: ResponseId, from: u64, limit: u32) -> Result<Vec<Segment>, Error>;

    /// A page of a response's input or output items. A cursor that names no item of the side is
    /// [`Error::UnknownCursor`].
    async fn items(&self, query: ItemQuery) -> Result<ItemPage, Error>;

    /// The response and its ancestors by `previous`, nearest first, at most `limit` rows. An ancestor that
    /// does not exist ends the list: the last row then still names a `previous`.
    async fn chain(&self, id: ResponseId, limit: u32) -> Result<Vec<ResponseRow>, Error>;

    /// Takes the next epoch of a node, larger than every epoch that any node ever had, and a lease from now on.
    ///
    /// A lease is measured by the store's own clock alone. While it lasts no other node can [claim](Claim) the
    /// node's responses; a node without one can claim nothing.
    async fn next_epoch(&self, node: &str, lease: Duration) -> Result<i64, Error>;

    /// Makes the node's lease last for `lease` from now on; zero gives it up. False if the node has another
    /// epoch by now: then nothing has changed.
    async fn renew_lease(&self, node: &str, epoch: i64, lease: Duration) -> Result<bool, Error>;

    /// At most `limit` responses that have not ended and whose owner is gone: those of the node itself that
    /// belong to an epoch before `epoch`, and after them those of other nodes without a lease, both oldest first.
    async fn orphaned(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<ResponseRow>, Error>;

    /// Which response has claimed the idempotency key of that digest, if one has.
    async fn idempotency_key(&self, user: UserId, key: &[u8; 32]) -> Result<Option<IdempotencyRecord>, Error>;

    /// Forgets idempotency keys that were claimed before that time and whose response is gone or was never stored:
    /// a bounded number of them, the oldest first. Says how many.
    async fn forget_idempotency_keys(&self, before: Timestamp) -> Result<u64, Error>;

    /// Asks the database for nothing, to see whether it answers.
    async fn ping(&self) -> Result<(), Error>;
}

/// One thing to commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A new response.
    Admit(Box<AdmissionRecord>),
    /// More of a response's log.
    Append(Append),
    /// A response's ending.
    End(Box<EndingRecord>),
    /// Another owner for a response whose owner is gone.
    Claim(Claim),
    /// A response, its items and its log are to be gone. Usage records stay, and so does its idempotency key.
    /// Committed too if it is not there.
    Delete(ResponseId),
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It is durable (also if it was already there in the same form).
    Committed,
    /// It is not there and never will be.
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
    #[error("the log does not end there")]
    Position,
    /// Another response has claimed the idempotency key.
    #[error("another response has the idempotency key")]
    KeyTaken,
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
    pub claim: Option<Idempotency>,
}

/// Who has an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The response that claimed it; it may be gone.
    pub response: ResponseId,
    /// The digest of the request that it was claimed with.
    pub fingerprint: [u8; 32],
    /// When it was claimed.
    pub created_at: Timestamp,
}

/// More of a response's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The owner's epoch.
    pub epoch: i64,
    /// The number of the first fact of the segment before this one.
    pub after: u64,
    /// Whether the response begins by this: then its status is in progress.
    pub begins: bool,
    /// The segment.
    pub segment: Segment,
}

/// A response's ending: all of it or nothing.
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
    /// The provider's own word, or `cancelled`.
    pub finish_reason: Option<String>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The encrypted text of the answer; none if there is none or the response is not stored.
    pub content: Option<Bytes>,
    /// The last segment, with the number of the first fact of the segment before it. None if the response
    /// is not stored.
    pub segment: Option<(u64, Segment)>,
    /// The output. Empty if the response is not stored.
    pub items: Vec<StoredItem>,
    /// What each turn used.
    pub usage: Vec<UsageRecord>,
    /// Whether the response gives back the idempotency key that it claimed, if it did.
    pub releases_key: bool,
}

/// Another owner for a response whose owner is gone.
///
/// It is committed only if the response still has the old owner's epoch, the new owner has a lease under its
/// epoch, and the old owner is the same node or has no lease; else it is [`Conflict::Owner`]. A response that
/// the new owner has already stays with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The response.
    pub id: ResponseId,
    /// The epoch of the owner that is gone.
    pub from_epoch: i64,
    /// The new owner's node.
    pub node: String,
    /// The new owner's epoch.
    pub epoch: i64,
}

/// The plain columns of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseRow {
    /// The response.
    pub id: ResponseId,
    /// Whose it is.
    pub user: UserId,
    /// The node that owns it.
    pub node: String,
    /// The owner's epoch.
    pub epoch: i64,
    /// Where it is in its life.
    pub status: Status,
    /// Why it did not complete.
    pub cause: Option<Cause>,
    /// The provider's own word, or `cancelled`.
    pub finish_reason: Option<String>,
    /// The model that was asked for.
    pub model: String,
    /// Whether its content is kept.
    pub stored: bool,
    /// Whether it runs without a client.
    pub background: bool,
    /// The response that it goes on from.
    pub previous: Option<ResponseId>,
    /// The version of the fold that its log was written for.
    pub fold_version: i16,
    /// Tokens of its prompt, counted at admission; the ledger's estimate if no provider reports usage.
    pub prompt_tokens: i64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Facts of one response, encoded and encrypted: the unit in the database, on the bus and in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    /// The response.
    pub response: ResponseId,
    /// The number of its first fact.
    pub first: u64,
    /// How many facts it holds; at least one.
    pub count: u32,
    /// The ciphertext.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Segment({}, {}+{}, {} bytes)", self.response, self.first, self.count, self.bytes.len())
    }
}

impl Segment {
    /// The number of the first fact after it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// Which items of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// What the client sent.
    Input,
    /// What came out.
    Output,
}

impl Side {
    /// The side as it is written in the database and bound into ciphertexts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// An item as the store has it: identity is (response, side, position), the id need not be unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredItem {
    /// The response.
    pub response: ResponseId,
    /// Input or output.
    pub side: Side,
    /// Its place, from 0.
    pub position: u32,
    /// Its id.
    pub id: ItemId,
    /// The ciphertext of its JSON.
    pub content: Bytes,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// First to last.
    Ascending,
    /// Last to first.
    Descending,
}

/// Which page of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemQuery {
    /// The response.
    pub response: ResponseId,
    /// Input or output.
    pub side: Side,
    /// The order.
    pub order: Order,
    /// Go on after the item with this id (the first such item in the list's order).
    pub after: Option<ItemId>,
    /// At most so many.
    pub limit: u32,
}

/// A page of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPage {
    /// The items, in the order asked for.
    pub items: Vec<StoredItem>,
    /// Whether there are more after them.
    pub has_more: bool,
}

/// What one turn of a response used: one durable record per (response, turn).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The response.
    pub response: ResponseId,
    /// Whose it is.
    pub user: UserId,
    /// The turn, from 1.
    pub turn: u16,
    /// The provider that was called.
    pub provider: String,
    /// The model, as the client named it.
    pub model: String,
    /// The counts.
    pub usage: Usage,
    /// Whether this server estimated them because the provider reported none.
    pub estimated: bool,
    /// When the response ended.
    pub at: Timestamp,
}

/// Why a store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be reached, or did not answer in time.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database answered with an error.
    #[error("the database answered with an error")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row holds something that can't have been written by this program.
    #[error("the database holds a corrupt {what}")]
    Corrupt {
        /// Which column.
        what: &'static str,
    },
    /// A page was asked for after an item that is not in the list.
    #[error("the cursor names no item of the list")]
    UnknownCursor,
}
