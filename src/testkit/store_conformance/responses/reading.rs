//! Reading rows, logs and chains.

use crate::protocol::ResponseId;
use crate::store::CommitOutcome;
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    a_store_answers_a_ping,
    an_unknown_response_is_none_and_has_an_empty_log,
    segments_begin_with_the_one_that_holds_the_fact,
    a_chain_is_nearest_first_and_ends_at_its_limit,
    a_chain_ends_where_an_ancestor_is_missing,
}

async fn a_store_answers_a_ping(subject: StoreUnderTest<'_>) {
    subject.store.group_commit.ping().await.unwrap();
}

async fn an_unknown_response_is_none_and_has_an_empty_log(subject: StoreUnderTest<'_>) {
    let id = ResponseId::new();
    assert_eq!(subject.store.responses.response(id).await.unwrap(), None);
    assert!(subject.log(id).await.is_empty());
    assert!(subject.store.responses.chain(id, 10).await.unwrap().is_empty());
}

async fn segments_begin_with_the_one_that_holds_the_fact(subject: StoreUnderTest<'_>) {
    let id = subject.admitted().await.row.id;
    let group = [append(0, segment(id, 3, 2, "b")), append(3, segment(id, 5, 1, "c"))];
    assert_eq!(subject.commit_all(&group).await, [CommitOutcome::Committed; 2]);
    let table: [(u64, u32, &[u64]); 9] = [
        (0, 10, &[0, 3, 5]),
        (0, 2, &[0, 3]),
        (2, 10, &[0, 3, 5]),
        (3, 10, &[3, 5]),
        (4, 1, &[3]),
        (5, 10, &[5]),
        (6, 10, &[]),
        (u64::MAX, 10, &[]),
        (0, 0, &[]),
    ];
    for (from, limit, expected) in table {
        let segments = subject.store.responses.segments(id, from, limit).await.unwrap();
        let firsts: Vec<u64> = segments.iter().map(|segment| segment.first).collect();
        assert_eq!(firsts, expected, "from {from}, at most {limit}");
    }
}

/// A chain of three responses, youngest first.
async fn chain(subject: StoreUnderTest<'_>) -> [ResponseId; 3] {
    let mut previous = None;
    let ids = [ResponseId::new(), ResponseId::new(), ResponseId::new()];
    for id in ids.iter().rev() {
        let mut admission = admission_of(*id, admission().row.user);
        admission.row.previous = previous.replace(*id);
        assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
    }
    ids
}

async fn a_chain_is_nearest_first_and_ends_at_its_limit(subject: StoreUnderTest<'_>) {
    let ids = chain(subject).await;
    for limit in [0, 1, 2, 3, 4, u32::MAX] {
        let rows = subject.store.responses.chain(ids[0], limit).await.unwrap();
        let wanted = usize::try_from(limit).unwrap().min(3);
        assert!(rows.iter().map(|row| row.id).eq(ids[..wanted].iter().copied()), "at most {limit}");
    }
}

async fn a_chain_ends_where_an_ancestor_is_missing(subject: StoreUnderTest<'_>) {
    let ids = chain(subject).await;
    assert_eq!(subject.commit(crate::store::JournalEntry::Delete(ids[1])).await, CommitOutcome::Committed);
    let rows = subject.store.responses.chain(ids[0], 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].previous, Some(ids[1]));
}
