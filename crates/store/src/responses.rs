//! Responses: their rows, logs and items.

use std::collections::HashSet;

use async_trait::async_trait;
use bytes::Bytes;

use super::Error;
use antiphon_domain::{Cause, SetAsideReason, Timestamp};
use antiphon_protocol::{ItemId, ResponseId, Status, UserId};

/// Reads responses, their logs and their items. Reads may run at any time and side by side.
#[async_trait]
pub trait ResponseStore: std::fmt::Debug + Send + Sync + 'static {
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

    /// At most `limit` responses that have not ended and whose owner is gone: those of the node itself that
    /// belong to an epoch before `epoch`, and after them those of other nodes without a lease, both oldest first.
    /// All that are set aside come after all that are not, those of `epoch` itself among them; first those of which
    /// somebody wants another try, the latest wish first.
    async fn orphaned(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<OrphanedResponse>, Error>;

    /// The ids of at most `limit` responses of that node and epoch that have not ended, oldest first.
    async fn unended(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<ResponseId>, Error>;

    /// At most `limit` responses of the node that have not ended, are not set aside, and whose user, who is given with
    /// each, is being deleted, oldest first.
    async fn live_of_deleted_users(&self, node: &str, limit: u32) -> Result<Vec<(UserId, ResponseId)>, Error>;

    /// At most `limit` responses that have not ended and are set aside, in the order in which they were.
    async fn set_aside(&self, limit: u32) -> Result<Vec<SetAsideResponse>, Error>;

    /// Marks responses as set aside by that node under that epoch, all at once, and returns those that it marked. The
    /// others are gone, have ended, belong to a later epoch of the node, or to another node that has a lease. A response
    /// that is set aside already keeps its time. A claim by another owner clears the mark.
    async fn mark_set_aside(
        &self,
        node: &str,
        epoch: i64,
        marks: &[(ResponseId, SetAsideMark)],
    ) -> Result<HashSet<ResponseId>, Error>;

    /// Marks a response as not set aside.
    async fn clear_set_aside(&self, id: ResponseId) -> Result<(), Error>;

    /// Notes that somebody wants a response that is set aside to be tried again, as of this time, or a little later if
    /// that was noted before. False if it is not set aside or has ended.
    async fn want_retry(&self, id: ResponseId, at: Timestamp) -> Result<bool, Error>;
}

/// A response that has not ended and whose owner is gone. Nothing else is read of it, so that one whose row holds
/// nonsense keeps nobody from finding the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanedResponse {
    /// The response.
    pub id: ResponseId,
    /// The node that owned it.
    pub node: String,
    /// The owner's epoch.
    pub epoch: i64,
    /// Why it is set aside, if it is.
    pub set_aside: Option<SetAsideReason>,
    /// When somebody last asked for another try, if anybody did since it is set aside.
    pub retry_wanted_at: Option<Timestamp>,
}

/// Since when a response is set aside, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetAsideMark {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: SetAsideReason,
}

/// A response that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideResponse {
    /// The response.
    pub id: ResponseId,
    /// The node that owns or owned it.
    pub node: String,
    /// Since when, and why.
    pub mark: SetAsideMark,
    /// Whether its owner has a lease under the epoch that owns the response.
    pub has_live_owner: bool,
}

/// The plain columns of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseRow {
    /// The response.
    pub id: ResponseId,
    /// The user whose response it is.
    pub user: UserId,
    /// The node that owns it.
    pub node: String,
    /// The owner's epoch.
    pub epoch: i64,
    /// Its status.
    pub status: Status,
    /// Why it did not complete.
    pub cause: Option<Cause>,
    /// The provider's finish reason, or `cancelled`.
    pub finish_reason: Option<String>,
    /// The model that was asked for.
    pub model: String,
    /// Whether its content is kept.
    pub stored: bool,
    /// Whether it runs in the background, without a client.
    pub background: bool,
    /// The response that it continues.
    pub previous: Option<ResponseId>,
    /// The version of the fold that its log was written for.
    pub fold_version: i16,
    /// Tokens of its prompt, counted at admission; the estimate of its usage if no provider reports any.
    pub prompt_tokens: i64,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Facts of one response, encoded and encrypted: the unit in which a log is written and read.
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

/// The two lists of items that a response has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemSide {
    /// What the client sent.
    Input,
    /// What the response produced.
    Output,
}

impl ItemSide {
    /// The side as it is written in the database and bound into ciphertexts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// An item as it is stored. (response, side, position) identifies it; its id need not be unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredItem {
    /// The response.
    pub response: ResponseId,
    /// Input or output.
    pub side: ItemSide,
    /// Its position in the list, from 0.
    pub position: u32,
    /// Its id.
    pub id: ItemId,
    /// The ciphertext of its JSON.
    pub content: Bytes,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortOrder {
    /// First to last.
    Ascending,
    /// Last to first.
    Descending,
}

/// A page of items to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemQuery {
    /// The response.
    pub response: ResponseId,
    /// Input or output.
    pub side: ItemSide,
    /// The order.
    pub order: SortOrder,
    /// The id of the item to begin after (the first such item in the list's order).
    pub after: Option<ItemId>,
    /// The most items.
    pub limit: u32,
}

/// A page of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPage {
    /// The items, in the order asked for.
    pub items: Vec<StoredItem>,
    /// Whether there are more after them.
    pub has_more: bool,
    /// The position of the item that the page begins after; none for a page without a cursor.
    pub after: Option<u32>,
}
