//! Many entries in one transaction.

use crate::protocol::ResponseId;
use crate::store::{CommitOutcome, JournalEntry};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    an_empty_group_is_committed,
    a_conflict_does_not_disturb_the_others,
    entries_of_one_response_keep_their_order,
    a_group_may_be_large,
    a_group_may_be_submitted_again,
}

async fn an_empty_group_is_committed(subject: StoreUnderTest<'_>) {
    assert!(subject.commit_all(&[]).await.is_empty());
}

async fn a_conflict_does_not_disturb_the_others(subject: StoreUnderTest<'_>) {
    let (one, two) = (subject.admitted().await, subject.admitted().await);
    let mut clash = one.clone();
    clash.row.model = "another".to_owned();
    let group = [
        append(0, segment(one.row.id, 4, 1, "gap")),
        admit(&clash),
        append(0, segment(two.row.id, 3, 1, "good")),
        append(0, segment(ResponseId::new(), 3, 1, "nobody's")),
        end(&ending(&one)),
        JournalEntry::Delete(ResponseId::new()),
    ];
    let good = CommitOutcome::Committed;
    assert_eq!(subject.commit_all(&group).await, [POSITION, POSITION, good, MISSING, good, good]);
    assert_eq!(subject.log(two.row.id).await.len(), 2);
}

async fn entries_of_one_response_keep_their_order(subject: StoreUnderTest<'_>) {
    let admission = admission();
    let id = admission.row.id;
    let mut ending = ending(&admission);
    ending.last_segment = last_segment(3, segment(id, 4, 1, "end"));
    let group = [
        append(0, segment(id, 3, 1, "too early")),
        admit(&admission),
        append(0, segment(id, 3, 1, "b")),
        end(&ending),
        append(4, segment(id, 5, 1, "too late")),
        JournalEntry::Delete(id),
        append(0, segment(id, 3, 1, "b")),
    ];
    let good = CommitOutcome::Committed;
    assert_eq!(subject.commit_all(&group).await, [MISSING, good, good, good, ENDED, good, MISSING]);
}

async fn a_group_may_be_large(subject: StoreUnderTest<'_>) {
    let admissions: Vec<_> = (0..1300).map(|_| admission()).collect();
    let admit_all: Vec<JournalEntry> = admissions.iter().map(admit).collect();
    assert!(subject.commit_all(&admit_all).await.iter().all(|outcome| *outcome == CommitOutcome::Committed));
    let first = |number: usize| if number % 100 == 7 { 4 } else { 3 };
    let numbered = admissions.iter().enumerate();
    let appends: Vec<JournalEntry> =
        numbered.map(|(number, admission)| append(0, segment(admission.row.id, first(number), 1, "b"))).collect();
    for (number, outcome) in subject.commit_all(&appends).await.into_iter().enumerate() {
        let expected = if first(number) == 3 { CommitOutcome::Committed } else { POSITION };
        assert_eq!(outcome, expected, "append number {number}");
    }
}

async fn a_group_may_be_submitted_again(subject: StoreUnderTest<'_>) {
    let (one, two) = (admission(), admission_not_stored());
    let mut last = ending(&one);
    last.last_segment = last_segment(3, segment(one.row.id, 4, 1, "end"));
    let group = [admit(&one), admit(&two), append(0, segment(one.row.id, 3, 1, "b")), end(&last)];
    for _ in 0..2 {
        assert_eq!(subject.commit_all(&group).await, [CommitOutcome::Committed; 4]);
    }
}
