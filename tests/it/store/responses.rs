//! Responses for the store's tests.

use std::sync::LazyLock;

use antiphon::{
    domain::Timestamp,
    protocol::{ResponseId, Status, UserId},
    store::{
        AccountError, AccountStore, AdmissionRecord, AppendRecord, CommitOutcome, EndingRecord, GroupCommit,
        JournalEntry, LastSegment, ResponseRow, Segment, UserRecord, WrappedKey,
    },
};
use bytes::Bytes;

/// The epoch of the owner.
pub(super) const EPOCH: i64 = 1;

/// The user of all responses, whom every store of these tests has.
pub(super) static SOMEBODY: LazyLock<UserId> = LazyLock::new(UserId::new);

/// Adds the user, unless it is there.
pub(super) async fn add_somebody(store: &dyn AccountStore) {
    let user = UserRecord {
        id: *SOMEBODY,
        name: "somebody".to_owned(),
        created_at: Timestamp::from_micros(0),
        deleted_at: None,
    };
    let data_key = WrappedKey { key_version: 1, bytes: Bytes::from_static(b"wrapped") };
    let added = store.create_user(user, data_key).await;
    assert!(matches!(added, Ok(()) | Err(AccountError::NameTaken)), "{added:?}");
}

/// A live response whose log holds fact 0.
pub(super) fn live() -> AdmissionRecord {
    let id = ResponseId::new();
    let row = ResponseRow {
        id,
        user: *SOMEBODY,
        node: "one".to_owned(),
        epoch: EPOCH,
        status: Status::InProgress,
        cause: None,
        finish_reason: None,
        model: "a model".to_owned(),
        stored: true,
        background: false,
        previous: None,
        fold_version: 1,
        prompt_tokens: 1,
        created_at: Timestamp::from_micros(1_700_000_000_000_000),
        ended_at: None,
    };
    AdmissionRecord { row, items: Vec::new(), segment: Some(segment(id, 0, "created")), idempotency: None }
}

fn segment(response: ResponseId, first: u64, text: &str) -> Segment {
    Segment { response, first, count: 1, bytes: Bytes::copy_from_slice(text.as_bytes()) }
}

pub(super) fn admit(admission: &AdmissionRecord) -> JournalEntry {
    JournalEntry::Admit(Box::new(admission.clone()))
}

/// One more fact, by the owner.
pub(super) fn append(admission: &AdmissionRecord, after: u64, first: u64, text: &str) -> JournalEntry {
    JournalEntry::Append(AppendRecord {
        epoch: EPOCH,
        after,
        begins: false,
        segment: segment(admission.row.id, first, text),
    })
}

/// Cancelled by the owner, with fact 1.
pub(super) fn ending(admission: &AdmissionRecord, text: &str) -> EndingRecord {
    EndingRecord {
        id: admission.row.id,
        epoch: EPOCH,
        status: Status::Cancelled,
        cause: None,
        finish_reason: Some("cancelled".to_owned()),
        ended_at: Timestamp::from_micros(1_700_000_001_000_000),
        content: None,
        last_segment: Some(LastSegment { after: 0, segment: segment(admission.row.id, 1, text) }),
        items: Vec::new(),
        usage: Vec::new(),
        releases_key: false,
    }
}

pub(super) async fn committed(store: &dyn GroupCommit, entry: JournalEntry) {
    assert_eq!(store.commit(&[entry]).await.unwrap(), [CommitOutcome::Committed]);
}
