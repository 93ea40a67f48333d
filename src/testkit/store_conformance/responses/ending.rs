//! Endings: all or nothing, once.

use crate::domain::Timestamp;
use crate::protocol::{ResponseId, Status};
use crate::store::{CommitOutcome, ItemSide};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    an_ending_writes_all_of_it,
    every_terminal_status_can_be_written,
    ending_again_in_the_same_way_is_committed,
    a_second_ending_conflicts_and_changes_nothing,
    an_ending_at_the_wrong_position_leaves_nothing_behind,
    only_the_owner_ends_a_response,
    a_response_that_is_not_stored_ends_once,
}

async fn an_ending_writes_all_of_it(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    let (id, ending) = (admission.row.id, ending(&admission));
    assert_eq!(subject.commit(end(&ending)).await, CommitOutcome::Committed);
    let row = subject.row(id).await;
    assert_eq!(row.status, ending.status);
    assert_eq!((row.cause, &row.finish_reason), (ending.cause, &ending.finish_reason));
    assert_eq!(row.ended_at, Some(ending.ended_at));
    assert_eq!(subject.items(id, ItemSide::Output).await, ending.items);
    assert_eq!(subject.log(id).await[1].1, "failed");
}

async fn every_terminal_status_can_be_written(subject: StoreUnderTest<'_>) {
    for status in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
        let admission = subject.admitted().await;
        let mut ending = ending(&admission);
        (ending.status, ending.cause, ending.content, ending.finish_reason) = (status, None, None, None);
        assert_eq!(subject.commit(end(&ending)).await, CommitOutcome::Committed);
        assert_eq!(subject.row(ending.id).await.status, status);
    }
}

async fn ending_again_in_the_same_way_is_committed(subject: StoreUnderTest<'_>) {
    let ending = ending(&subject.admitted().await);
    for _ in 0..2 {
        assert_eq!(subject.commit(end(&ending)).await, CommitOutcome::Committed);
    }
    assert_eq!(subject.items(ending.id, ItemSide::Output).await, ending.items);
}

async fn a_second_ending_conflicts_and_changes_nothing(subject: StoreUnderTest<'_>) {
    let first = ending(&subject.admitted().await);
    let mut second = first.clone();
    second.status = Status::Cancelled;
    second.last_segment = last_segment(0, segment(first.id, 3, 1, "cancelled"));
    let mut third = second.clone();
    third.last_segment = last_segment(3, segment(first.id, 4, 1, "cancelled"));
    let outcomes = subject.commit_all(&[end(&first), end(&second), end(&third)]).await;
    assert_eq!(outcomes, [CommitOutcome::Committed, ENDED, ENDED]);
    assert_eq!(subject.row(first.id).await.status, Status::Failed);
    assert_eq!(subject.log(first.id).await.len(), 2);
}

async fn an_ending_at_the_wrong_position_leaves_nothing_behind(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    let id = admission.row.id;
    assert_eq!(subject.commit(append(0, segment(id, 3, 2, "text"))).await, CommitOutcome::Committed);
    let mut ending = ending(&admission);
    assert_eq!(subject.commit(end(&ending)).await, POSITION);
    assert_eq!(subject.row(id).await, admission.row);
    assert!(subject.items(id, ItemSide::Output).await.is_empty());
    ending.last_segment = last_segment(3, segment(id, 5, 1, "failed"));
    assert_eq!(subject.commit(end(&ending)).await, CommitOutcome::Committed, "it can still end");
}

async fn only_the_owner_ends_a_response(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    let mut foreign = ending(&admission);
    foreign.epoch += 1;
    assert_eq!(subject.commit(end(&foreign)).await, OWNER);
    let mut missing = ending(&admission);
    missing.id = ResponseId::new();
    assert_eq!(subject.commit(end(&missing)).await, MISSING);
    assert_eq!(subject.row(admission.row.id).await, admission.row);
}

async fn a_response_that_is_not_stored_ends_once(subject: StoreUnderTest<'_>) {
    let admission = admission_not_stored();
    let mut ending = ending(&admission);
    (ending.last_segment, ending.content) = (None, None);
    ending.items.clear();
    assert_eq!(
        subject.commit_all(&[admit(&admission), end(&ending), end(&ending)]).await,
        [CommitOutcome::Committed; 3]
    );
    let mut later = ending.clone();
    later.ended_at = Timestamp::from_micros(ending.ended_at.as_micros() + 1);
    assert_eq!(subject.commit(end(&later)).await, ENDED);
    assert_eq!(subject.row(ending.id).await.ended_at, Some(ending.ended_at));
}
