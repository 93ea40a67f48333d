//! Responses that are set aside.

use std::time::Duration;

use crate::domain::{SetAsideReason, Timestamp};
use crate::protocol::ResponseId;
use crate::store::{CommitOutcome, OrphanedResponse, SetAsideMark, SetAsideResponse};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    what_is_set_aside_is_listed_until_it_is_not_or_has_ended,
    what_is_set_aside_keeps_its_time_and_gets_the_newest_reason,
    only_a_response_that_has_not_ended_is_set_aside,
    a_node_sets_aside_what_is_its_own_and_what_nobody_owns,
    a_new_owner_takes_the_mark_away_and_the_present_one_keeps_it,
    those_set_aside_are_found_after_all_other_orphans,
    a_wish_for_another_try_is_found_first_and_never_twice_the_same,
}

/// A lease that is over at once.
const OVER: Duration = Duration::ZERO;

const MISSING_KEY: SetAsideReason = SetAsideReason::KeyMissing;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

const fn mark(at: Timestamp, reason: SetAsideReason) -> SetAsideMark {
    SetAsideMark { at, reason }
}

impl StoreUnderTest<'_> {
    /// Marks responses by that node, and returns which of them it marked, in their order.
    async fn mark(self, by: &NamedNode, ids: &[ResponseId], mark: SetAsideMark) -> Vec<bool> {
        let marks: Vec<_> = ids.iter().map(|id| (*id, mark)).collect();
        let marked = self.store.responses.mark_set_aside(&by.name, by.epoch, &marks).await.unwrap();
        ids.iter().map(|id| marked.contains(id)).collect()
    }

    async fn want_retry(self, id: ResponseId, micros: i64) -> bool {
        self.store.responses.want_retry(id, at(micros)).await.unwrap()
    }

    /// Those of these that are listed, in their order.
    async fn listed(self, ids: &[ResponseId]) -> Vec<SetAsideResponse> {
        let all = self.store.responses.set_aside(u32::MAX).await.unwrap();
        all.into_iter().filter(|found| ids.contains(&found.id)).collect()
    }

    async fn orphaned_of(self, node: &NamedNode, epoch: i64) -> Vec<OrphanedResponse> {
        let found = self.store.responses.orphaned(&node.name, epoch, u32::MAX).await.unwrap();
        found.into_iter().filter(|found| found.node == node.name).collect()
    }
}

async fn what_is_set_aside_is_listed_until_it_is_not_or_has_ended(subject: StoreUnderTest<'_>) {
    let (by, one, two) = (subject.node(LEASE).await, subject.admitted().await, subject.admitted().await);
    let ids = [one.row.id, two.row.id];
    assert!(subject.listed(&ids).await.is_empty());
    assert_eq!(subject.mark(&by, &ids[..1], mark(at(20), MISSING_KEY)).await, [true]);
    assert_eq!(subject.mark(&by, &ids[1..], mark(at(10), MISSING_KEY)).await, [true]);
    let listed = subject.listed(&ids).await;
    assert_eq!(listed.iter().map(|found| found.id).collect::<Vec<_>>(), [ids[1], ids[0]]);
    assert_eq!((&listed[0].node, listed[0].mark), (&two.row.node, mark(at(10), MISSING_KEY)));
    subject.store.responses.clear_set_aside(ids[1]).await.unwrap();
    assert_eq!(subject.commit(end(&ending(&one))).await, CommitOutcome::Committed);
    assert!(subject.listed(&ids).await.is_empty());
    assert_eq!(subject.row(ids[1]).await, two.row, "nothing else has changed");
}

async fn what_is_set_aside_keeps_its_time_and_gets_the_newest_reason(subject: StoreUnderTest<'_>) {
    let (by, id) = (subject.node(LEASE).await, subject.admitted().await.row.id);
    subject.mark(&by, &[id], mark(at(10), MISSING_KEY)).await;
    subject.mark(&by, &[id], mark(at(20), SetAsideReason::EndingRefused)).await;
    assert_eq!(subject.listed(&[id]).await[0].mark, mark(at(10), SetAsideReason::EndingRefused));
}

async fn only_a_response_that_has_not_ended_is_set_aside(subject: StoreUnderTest<'_>) {
    let (by, admission, live) = (subject.node(LEASE).await, subject.admitted().await, subject.admitted().await.row.id);
    assert_eq!(subject.commit(end(&ending(&admission))).await, CommitOutcome::Committed);
    let ids = [admission.row.id, ResponseId::new(), live];
    assert_eq!(subject.mark(&by, &ids, mark(at(10), MISSING_KEY)).await, [false, false, true]);
    assert!(subject.mark(&by, &[], mark(at(10), MISSING_KEY)).await.is_empty());
    assert!(!subject.want_retry(ids[0], 5).await && !subject.want_retry(ids[1], 5).await);
}

async fn a_node_sets_aside_what_is_its_own_and_what_nobody_owns(subject: StoreUnderTest<'_>) {
    let (by, other, gone) = (subject.node(LEASE).await, subject.node(LEASE).await, subject.node(OVER).await);
    let successor = subject.restarted(&by.name, LEASE).await;
    let ids = [
        subject.admitted_by(&by).await,
        subject.admitted_by(&successor).await,
        subject.admitted_by(&other).await,
        subject.admitted_by(&gone).await,
    ];
    assert_eq!(subject.mark(&by, &ids, mark(at(10), MISSING_KEY)).await, [true, false, false, true]);
    assert_eq!(subject.mark(&successor, &ids, mark(at(10), MISSING_KEY)).await, [true, true, false, true]);
    let live: Vec<_> = subject.listed(&ids).await.iter().map(|found| (found.id, found.has_live_owner)).collect();
    let mut expected = [(ids[0], false), (ids[1], true), (ids[3], false)];
    expected.sort_unstable();
    assert_eq!(live, expected, "of the same time, by their ids");
}

async fn a_new_owner_takes_the_mark_away_and_the_present_one_keeps_it(subject: StoreUnderTest<'_>) {
    let (by, id) = (subject.node(LEASE).await, subject.admitted().await.row.id);
    subject.mark(&by, &[id], mark(at(10), MISSING_KEY)).await;
    assert!(subject.want_retry(id, 5).await);
    assert_eq!(subject.commit(by.claim(id, EPOCH)).await, CommitOutcome::Committed);
    assert!(subject.listed(&[id]).await.is_empty());
    assert!(subject.orphaned_of(&by, by.epoch).await.is_empty());
    subject.mark(&by, &[id], mark(at(20), MISSING_KEY)).await;
    assert_eq!(subject.commit(by.claim(id, by.epoch)).await, CommitOutcome::Committed);
    let found = subject.orphaned_of(&by, by.epoch).await;
    assert_eq!((found[0].id, found[0].set_aside, found[0].retry_wanted_at), (id, Some(MISSING_KEY), None));
}

async fn those_set_aside_are_found_after_all_other_orphans(subject: StoreUnderTest<'_>) {
    let node = subject.node(LEASE).await;
    let ids = [subject.admitted_by(&node).await, subject.admitted_by(&node).await, subject.admitted_by(&node).await];
    subject.mark(&node, &ids[..2], mark(at(10), MISSING_KEY)).await;
    let found = subject.orphaned_of(&node, node.epoch + 1).await;
    assert_eq!(
        found.iter().map(|found| found.set_aside).collect::<Vec<_>>(),
        [None, Some(MISSING_KEY), Some(MISSING_KEY)]
    );
    let all = subject.store.responses.orphaned(&node.name, node.epoch + 1, u32::MAX).await.unwrap();
    assert!(all.is_sorted_by_key(|found| found.set_aside.is_some()));
}

async fn a_wish_for_another_try_is_found_first_and_never_twice_the_same(subject: StoreUnderTest<'_>) {
    let node = subject.node(LEASE).await;
    let ids = [subject.admitted_by(&node).await, subject.admitted_by(&node).await, subject.admitted_by(&node).await];
    assert!(!subject.want_retry(ids[0], 5).await, "it is not set aside");
    subject.mark(&node, &ids, mark(at(10), MISSING_KEY)).await;
    for (id, micros) in [(ids[2], 5), (ids[1], 9), (ids[2], 5), (ids[2], 4)] {
        assert!(subject.want_retry(id, micros).await);
    }
    let found = subject.orphaned_of(&node, node.epoch).await;
    let wishes: Vec<_> = found.iter().map(|found| (found.id, found.retry_wanted_at)).collect();
    assert_eq!(wishes, [(ids[1], Some(at(9))), (ids[2], Some(at(7))), (ids[0], None)]);
}
