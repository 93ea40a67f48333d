//! New responses.

use bytes::Bytes;

use crate::domain::{Idempotency, Timestamp};
use crate::protocol::{ResponseId, Status, UserId};
use crate::store::{AdmissionRecord, CommitOutcome, ItemSide, JournalEntry};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    an_admitted_response_reads_back,
    a_response_that_is_not_stored_has_only_a_row,
    every_live_status_and_column_reads_back,
    admitting_again_is_committed,
    admitting_again_is_committed_after_the_response_ended,
    admitting_another_response_under_the_same_id_conflicts_and_changes_nothing,
    a_response_needs_the_one_that_it_continues,
    a_response_that_was_deleted_does_not_come_back_with_a_lost_answer,
    a_response_needs_a_user_who_is_not_being_deleted,
}

async fn a_response_needs_the_one_that_it_continues(subject: StoreUnderTest<'_>) {
    let (mut orphan, mut heir) = (admission(), admission());
    let previous = subject.admitted().await.row.id;
    orphan.row.previous = Some(ResponseId::new());
    orphan.idempotency = Some(Idempotency { key: orphan_key(&orphan), fingerprint: [1; 32] });
    heir.row.previous = Some(previous);
    let group = [admit(&orphan), admit(&heir)];
    assert_eq!(subject.commit_all(&group).await, [PREVIOUS_MISSING, CommitOutcome::Committed]);
    assert_eq!(subject.store.responses.response(orphan.row.id).await.unwrap(), None);
    let key = subject.store.idempotency_keys.idempotency_key(orphan.row.user, &orphan_key(&orphan)).await.unwrap();
    assert_eq!(key, None, "the key is free");
    assert_eq!(subject.commit(JournalEntry::Delete(previous)).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(admit(&heir)).await, CommitOutcome::Committed, "it is there already");
}

fn orphan_key(admission: &AdmissionRecord) -> [u8; 32] {
    let mut key = [3; 32];
    key[..16].copy_from_slice(&admission.row.id.uuid().into_bytes());
    key
}

async fn a_response_that_was_deleted_does_not_come_back_with_a_lost_answer(subject: StoreUnderTest<'_>) {
    let mut admission = admission();
    admission.idempotency = Some(Idempotency { key: orphan_key(&admission), fingerprint: [1; 32] });
    assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(JournalEntry::Delete(admission.row.id)).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(admit(&admission)).await, MISSING);
    assert_eq!(subject.store.responses.response(admission.row.id).await.unwrap(), None);
}

async fn a_response_needs_a_user_who_is_not_being_deleted(subject: StoreUnderTest<'_>) {
    let user = UserId::new();
    let (first, mut second) = (admission_of(ResponseId::new(), user), admission_of(ResponseId::new(), user));
    second.idempotency = Some(Idempotency { key: orphan_key(&second), fingerprint: [1; 32] });
    assert_eq!(subject.commit_alone(&[admit(&first)]).await, [USER_DELETED], "there is none");
    assert_eq!(subject.commit(admit(&first)).await, CommitOutcome::Committed);
    let at = Timestamp::from_micros(9);
    assert!(subject.store.accounts.mark_user_deleted(user, at).await.unwrap());
    let group = [admit(&second), append(0, segment(first.row.id, 3, 1, "b")), admit(&first)];
    let good = CommitOutcome::Committed;
    assert_eq!(subject.commit_alone(&group).await, [USER_DELETED, good, good], "what runs goes on");
    let key = subject.store.idempotency_keys.idempotency_key(user, &orphan_key(&second)).await.unwrap();
    assert_eq!(key, None, "the key is free");
}

async fn an_admitted_response_reads_back(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    let id = admission.row.id;
    assert_eq!(subject.row(id).await, admission.row);
    assert_eq!(subject.log(id).await, [(0, Bytes::from_static(b"created"))]);
    assert_eq!(subject.items(id, ItemSide::Input).await, admission.items);
    assert!(subject.items(id, ItemSide::Output).await.is_empty());
}

async fn a_response_that_is_not_stored_has_only_a_row(subject: StoreUnderTest<'_>) {
    let admission = admission_not_stored();
    assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
    assert_eq!(subject.row(admission.row.id).await, admission.row);
    assert!(subject.log(admission.row.id).await.is_empty());
}

async fn every_live_status_and_column_reads_back(subject: StoreUnderTest<'_>) {
    let mut admission = admission();
    admission.row.status = Status::Queued;
    admission.row.background = true;
    admission.row.previous = Some(subject.admitted().await.row.id);
    admission.row.model = "模型 ' \" \\ %".to_owned();
    assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
    assert_eq!(subject.row(admission.row.id).await, admission.row);
}

async fn admitting_again_is_committed(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
    assert_eq!(subject.items(admission.row.id, ItemSide::Input).await.len(), 1);
}

async fn admitting_again_is_committed_after_the_response_ended(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    assert_eq!(subject.commit(end(&ending(&admission))).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
    assert_eq!(subject.row(admission.row.id).await.status, Status::Failed);
}

async fn admitting_another_response_under_the_same_id_conflicts_and_changes_nothing(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    let id = admission.row.id;
    let mut other_log = admission.clone();
    other_log.segment = Some(segment(id, 0, 3, "other bytes"));
    other_log.items.push(item(id, ItemSide::Input, 1));
    let mut other_row = admission.clone();
    other_row.row.model = "another model".to_owned();
    assert_eq!(subject.commit_all(&[admit(&other_log), admit(&other_row)]).await, [POSITION, POSITION]);
    assert_eq!(subject.row(id).await, admission.row);
    assert_eq!(subject.items(id, ItemSide::Input).await, admission.items);
}
