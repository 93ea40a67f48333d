//! New responses.

use bytes::Bytes;

use crate::protocol::{ResponseId, Status};
use crate::store::{CommitOutcome, ItemSide};
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
    admission.row.previous = Some(ResponseId::new());
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
