//! Responses that are set aside.

use crate::domain::{SetAsideReason, Timestamp};
use crate::protocol::ResponseId;
use crate::store::{CommitOutcome, SetAsideMark, SetAsideResponse};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    what_is_set_aside_is_listed_until_it_is_not_or_has_ended,
    what_is_set_aside_keeps_its_time_and_gets_the_newest_reason,
    only_a_response_that_has_not_ended_is_set_aside,
    those_set_aside_are_found_after_all_other_orphans,
}

const MISSING_KEY: SetAsideReason = SetAsideReason::KeyMissing;

fn mark(at: i64, reason: SetAsideReason) -> Option<SetAsideMark> {
    Some(SetAsideMark { at: Timestamp::from_micros(at), reason })
}

impl StoreUnderTest<'_> {
    async fn mark(self, id: ResponseId, mark: Option<SetAsideMark>) -> bool {
        self.store.responses.mark_set_aside(id, mark).await.unwrap()
    }

    /// Those of these that are listed, in their order.
    async fn listed(self, ids: &[ResponseId]) -> Vec<SetAsideResponse> {
        let all = self.store.responses.set_aside(u32::MAX).await.unwrap();
        all.into_iter().filter(|found| ids.contains(&found.id)).collect()
    }
}

async fn what_is_set_aside_is_listed_until_it_is_not_or_has_ended(subject: StoreUnderTest<'_>) {
    let (one, two) = (subject.admitted().await, subject.admitted().await);
    let ids = [one.row.id, two.row.id];
    assert!(subject.listed(&ids).await.is_empty());
    assert!(subject.mark(ids[0], mark(20, MISSING_KEY)).await && subject.mark(ids[1], mark(10, MISSING_KEY)).await);
    let listed = subject.listed(&ids).await;
    assert_eq!(listed.iter().map(|found| found.id).collect::<Vec<_>>(), [ids[1], ids[0]]);
    assert_eq!((&listed[0].node, Some(listed[0].mark)), (&two.row.node, mark(10, MISSING_KEY)));
    assert!(subject.mark(ids[1], None).await);
    assert_eq!(subject.commit(end(&ending(&one))).await, CommitOutcome::Committed);
    assert!(subject.listed(&ids).await.is_empty());
    assert_eq!(subject.row(ids[1]).await, two.row, "nothing else has changed");
}

async fn what_is_set_aside_keeps_its_time_and_gets_the_newest_reason(subject: StoreUnderTest<'_>) {
    let id = subject.admitted().await.row.id;
    assert!(
        subject.mark(id, mark(10, MISSING_KEY)).await
            && subject.mark(id, mark(20, SetAsideReason::EndingRefused)).await
    );
    assert_eq!(Some(subject.listed(&[id]).await[0].mark), mark(10, SetAsideReason::EndingRefused));
}

async fn only_a_response_that_has_not_ended_is_set_aside(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    assert_eq!(subject.commit(end(&ending(&admission))).await, CommitOutcome::Committed);
    assert!(!subject.mark(admission.row.id, mark(10, MISSING_KEY)).await);
    assert!(!subject.mark(ResponseId::new(), mark(10, MISSING_KEY)).await);
}

async fn those_set_aside_are_found_after_all_other_orphans(subject: StoreUnderTest<'_>) {
    let node = subject.node(LEASE).await;
    let ids = [subject.admitted_by(&node).await, subject.admitted_by(&node).await];
    assert!(subject.mark(ids[0], mark(10, MISSING_KEY)).await);
    let found = subject.store.responses.orphaned(&node.name, node.epoch + 1, u32::MAX).await.unwrap();
    let mine: Vec<_> = found.iter().filter(|found| ids.contains(&found.id)).collect();
    assert_eq!(mine.iter().map(|found| found.set_aside).collect::<Vec<_>>(), [None, Some(MISSING_KEY)]);
    assert!(found.is_sorted_by_key(|found| found.set_aside.is_some()));
}
