//! Responses to try a store with.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;

use super::suite::StoreUnderTest;
use crate::domain::{Cause, Timestamp};
use crate::protocol::{InputTokensDetails, ItemId, OutputTokensDetails, ResponseId, Status, Usage, UserId};
use crate::store::{
    AdmissionRecord, AppendRecord, ClaimRecord, CommitOutcome, Conflict, EndingRecord, ItemQuery, ItemSide,
    JournalEntry, LastSegment, ResponseRow, Segment, SortOrder, StoredItem, UsageRecord, UserRecord, WrappedKey,
};

/// The epoch of an owner that is no node: larger than any that a node takes here.
pub(super) const EPOCH: i64 = 1_000_000;
pub(super) const MISSING: CommitOutcome = CommitOutcome::Conflict(Conflict::Missing);
pub(super) const ENDED: CommitOutcome = CommitOutcome::Conflict(Conflict::Ended);
pub(super) const OWNER: CommitOutcome = CommitOutcome::Conflict(Conflict::Owner);
pub(super) const POSITION: CommitOutcome = CommitOutcome::Conflict(Conflict::Position);
pub(super) const PREVIOUS_MISSING: CommitOutcome = CommitOutcome::Conflict(Conflict::PreviousMissing);
pub(super) const USER_DELETED: CommitOutcome = CommitOutcome::Conflict(Conflict::UserDeleted);
pub(super) const KEY_TAKEN: CommitOutcome = CommitOutcome::Conflict(Conflict::KeyTaken);

/// A user whom the cases share.
static SOMEBODY: LazyLock<UserId> = LazyLock::new(UserId::new);

/// Longer than any test takes.
pub(super) const LEASE: Duration = Duration::from_secs(600);

/// A node under its newest epoch.
#[derive(Clone)]
pub(super) struct NamedNode {
    pub(super) name: String,
    pub(super) epoch: i64,
}

impl NamedNode {
    /// The node's claim of a response from the owner of that epoch.
    pub(super) fn claim(&self, id: ResponseId, from_epoch: i64) -> JournalEntry {
        JournalEntry::Claim(ClaimRecord { id, from_epoch, node: self.name.clone(), epoch: self.epoch, fold_version: 2 })
    }
}

impl StoreUnderTest<'_> {
    /// A new node with that lease.
    pub(super) async fn node(self, lease: Duration) -> NamedNode {
        self.restarted(&ResponseId::new().to_string(), lease).await
    }

    /// The node under its next epoch.
    pub(super) async fn restarted(self, name: &str, lease: Duration) -> NamedNode {
        let epoch = self.store.nodes.next_epoch(name, lease).await.unwrap();
        NamedNode { name: name.to_owned(), epoch }
    }

    /// Admits a new response of that node.
    pub(super) async fn admitted_by(self, node: &NamedNode) -> ResponseId {
        let mut admission = admission();
        admission.row.node.clone_from(&node.name);
        admission.row.epoch = node.epoch;
        assert_eq!(self.commit(admit(&admission)).await, CommitOutcome::Committed);
        admission.row.id
    }

    /// Commits one entry.
    pub(super) async fn commit(self, entry: JournalEntry) -> CommitOutcome {
        self.commit_all(&[entry]).await[0]
    }

    /// Commits a group, once the users of its new responses are there.
    pub(super) async fn commit_all(self, group: &[JournalEntry]) -> Vec<CommitOutcome> {
        for entry in group {
            if let JournalEntry::Admit(admission) = entry {
                self.ensure_user(admission.row.user).await;
            }
        }
        self.commit_alone(group).await
    }

    async fn ensure_user(self, id: UserId) {
        let user = UserRecord { id, name: id.to_string(), created_at: Timestamp::from_micros(5), deleted_at: None };
        let data_key = WrappedKey { key_version: 1, bytes: Bytes::from_static(b"wrapped") };
        let users = self.store.accounts.users().await.unwrap();
        if !users.iter().any(|user| user.id == id) {
            self.store.accounts.create_user(user, data_key).await.unwrap();
        }
    }

    pub(super) async fn commit_alone(self, group: &[JournalEntry]) -> Vec<CommitOutcome> {
        let outcomes = self.store.group_commit.commit(group).await.unwrap();
        assert_eq!(outcomes.len(), group.len(), "an outcome for each entry");
        outcomes
    }

    /// Admits a new stored response with the facts 0 to 2 and one input item.
    pub(super) async fn admitted(self) -> AdmissionRecord {
        let admission = admission();
        assert_eq!(self.commit(admit(&admission)).await, CommitOutcome::Committed);
        admission
    }

    pub(super) async fn row(self, id: ResponseId) -> ResponseRow {
        self.store.responses.response(id).await.unwrap().unwrap()
    }

    /// The whole log as (first fact, bytes).
    pub(super) async fn log(self, id: ResponseId) -> Vec<(u64, Bytes)> {
        let segments = self.store.responses.segments(id, 0, u32::MAX).await.unwrap();
        segments.into_iter().map(|segment| (segment.first, segment.bytes)).collect()
    }

    pub(super) async fn items(self, response: ResponseId, side: ItemSide) -> Vec<StoredItem> {
        let query = ItemQuery { response, side, order: SortOrder::Ascending, after: None, limit: 1000 };
        self.store.responses.items(query).await.unwrap().items
    }
}

/// A new response of the user whom all cases share that do not care.
pub(super) fn admission() -> AdmissionRecord {
    admission_of(ResponseId::new(), *SOMEBODY)
}

pub(super) fn admission_of(id: ResponseId, user: UserId) -> AdmissionRecord {
    let row = ResponseRow {
        id,
        user,
        node: format!("node of {id}"),
        epoch: EPOCH,
        status: Status::InProgress,
        cause: None,
        finish_reason: None,
        model: "a model".to_owned(),
        stored: true,
        background: false,
        previous: None,
        fold_version: 1,
        prompt_tokens: 12,
        created_at: Timestamp::from_micros(1_700_000_000_000_001),
        ended_at: None,
    };
    AdmissionRecord {
        row,
        items: vec![item(id, ItemSide::Input, 0)],
        segment: Some(segment(id, 0, 3, "created")),
        idempotency: None,
    }
}

/// A response of which only the row is kept.
pub(super) fn admission_not_stored() -> AdmissionRecord {
    let mut admission = admission();
    admission.row.stored = false;
    admission.items.clear();
    admission.segment = None;
    admission
}

pub(super) fn admit(admission: &AdmissionRecord) -> JournalEntry {
    JournalEntry::Admit(Box::new(admission.clone()))
}

pub(super) fn segment(response: ResponseId, first: u64, count: u32, bytes: &'static str) -> Segment {
    Segment { response, first, count, bytes: Bytes::from_static(bytes.as_bytes()) }
}

pub(super) fn append(after: u64, segment: Segment) -> JournalEntry {
    JournalEntry::Append(AppendRecord { epoch: EPOCH, after, begins: false, segment })
}

pub(super) fn item(response: ResponseId, side: ItemSide, position: u32) -> StoredItem {
    let id = ItemId::from(format!("msg_{position}_of_{response}"));
    StoredItem { response, side, position, id, content: Bytes::from(format!("{} {position}", side.as_str())) }
}

/// An ending right after the first segment of [`admission`], with every column filled.
pub(super) fn ending(admission: &AdmissionRecord) -> EndingRecord {
    let id = admission.row.id;
    let usage = Usage {
        input_tokens: 12,
        input_tokens_details: InputTokensDetails { cached_tokens: 4, cache_write_tokens: 2 },
        output_tokens: u64::MAX,
        output_tokens_details: OutputTokensDetails { reasoning_tokens: 5 },
        total_tokens: 20,
    };
    let ended_at = Timestamp::from_micros(1_700_000_009_000_002);
    let record = UsageRecord {
        response: id,
        user: admission.row.user,
        turn: 1,
        provider: "a provider".to_owned(),
        model: "a model".to_owned(),
        usage,
        estimated: true,
        at: ended_at,
    };
    EndingRecord {
        id,
        epoch: EPOCH,
        status: Status::Failed,
        cause: Some(Cause::UpstreamClosed),
        finish_reason: Some("stop".to_owned()),
        ended_at,
        content: Some(Bytes::from_static(b"the text")),
        last_segment: last_segment(0, segment(id, 3, 1, "failed")),
        items: vec![item(id, ItemSide::Output, 0), item(id, ItemSide::Output, 1)],
        usage: vec![record],
        releases_key: false,
    }
}

/// The end of a log.
pub(super) fn last_segment(after: u64, segment: Segment) -> Option<LastSegment> {
    Some(LastSegment { after, segment })
}

pub(super) fn end(ending: &EndingRecord) -> JournalEntry {
    JournalEntry::End(Box::new(ending.clone()))
}
