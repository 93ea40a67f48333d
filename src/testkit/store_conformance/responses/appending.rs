//! Logs that grow.

use bytes::Bytes;

use crate::protocol::ResponseId;
use crate::store::{AppendRecord, CommitOutcome, JournalEntry};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    a_log_grows_where_it_ends,
    appending_the_same_bytes_again_is_committed,
    appending_the_same_bytes_again_is_committed_after_the_response_ended,
    other_bytes_at_the_same_position_conflict,
    a_gap_an_overlap_and_a_wrong_predecessor_conflict,
    only_the_owner_of_a_live_response_appends,
}

async fn a_log_grows_where_it_ends(subject: StoreUnderTest<'_>) {
    let id = subject.admitted().await.row.id;
    assert_eq!(subject.commit(append(0, segment(id, 3, 2, "b"))).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(append(3, segment(id, 5, 1, "c"))).await, CommitOutcome::Committed);
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert_eq!(subject.log(id).await, [(0, bytes("created")), (3, bytes("b")), (5, bytes("c"))]);
}

async fn appending_the_same_bytes_again_is_committed(subject: StoreUnderTest<'_>) {
    let id = subject.admitted().await.row.id;
    for _ in 0..2 {
        assert_eq!(subject.commit(append(0, segment(id, 3, 2, "b"))).await, CommitOutcome::Committed);
    }
    assert_eq!(subject.commit(append(3, segment(id, 5, 1, "c"))).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(append(0, segment(id, 3, 2, "b"))).await, CommitOutcome::Committed);
    assert_eq!(subject.log(id).await.len(), 3);
}

async fn appending_the_same_bytes_again_is_committed_after_the_response_ended(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    let id = admission.row.id;
    let mut ending = ending(&admission);
    ending.last_segment = last_segment(3, segment(id, 5, 1, "end"));
    let middle = append(0, segment(id, 3, 2, "b"));
    assert_eq!(subject.commit_all(&[middle.clone(), end(&ending)]).await, [CommitOutcome::Committed; 2]);
    assert_eq!(subject.commit(middle).await, CommitOutcome::Committed);
}

async fn other_bytes_at_the_same_position_conflict(subject: StoreUnderTest<'_>) {
    let id = subject.admitted().await.row.id;
    assert_eq!(subject.commit(append(0, segment(id, 3, 2, "b"))).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(append(0, segment(id, 3, 2, "x"))).await, POSITION);
    assert_eq!(subject.commit(append(0, segment(id, 3, 1, "b"))).await, POSITION, "as many facts, too");
    assert_eq!(subject.log(id).await[1].1, "b");
}

async fn a_gap_an_overlap_and_a_wrong_predecessor_conflict(subject: StoreUnderTest<'_>) {
    let id = subject.admitted().await.row.id;
    for (after, first) in [(0, 4), (0, 2), (1, 3), (3, 3)] {
        assert_eq!(subject.commit(append(after, segment(id, first, 1, "b"))).await, POSITION, "{first} after {after}");
    }
    assert_eq!(subject.log(id).await.len(), 1);
}

async fn only_the_owner_of_a_live_response_appends(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    let id = admission.row.id;
    assert_eq!(subject.commit(append(0, segment(ResponseId::new(), 3, 1, "b"))).await, MISSING);
    let foreign = AppendRecord { epoch: EPOCH + 1, after: 0, begins: false, segment: segment(id, 3, 1, "b") };
    assert_eq!(subject.commit(JournalEntry::Append(foreign)).await, OWNER);
    assert_eq!(subject.commit(end(&ending(&admission))).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(append(3, segment(id, 4, 1, "late"))).await, ENDED);
    assert_eq!(subject.log(id).await.len(), 2);
}
