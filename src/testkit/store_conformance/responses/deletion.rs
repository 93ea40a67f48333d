//! Deleted responses.

use crate::store::{CommitOutcome, ItemQuery, ItemSide, JournalEntry, SortOrder};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    a_deleted_response_leaves_nothing,
}

async fn a_deleted_response_leaves_nothing(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    let id = admission.row.id;
    assert_eq!(subject.commit(end(&ending(&admission))).await, CommitOutcome::Committed);
    for _ in 0..2 {
        assert_eq!(subject.commit(JournalEntry::Delete(id)).await, CommitOutcome::Committed);
    }
    assert_eq!(subject.store.responses.response(id).await.unwrap(), None);
    assert!(subject.log(id).await.is_empty());
    for side in [ItemSide::Input, ItemSide::Output] {
        let query = ItemQuery { response: id, side, order: SortOrder::Descending, after: None, limit: 5 };
        assert!(subject.store.responses.items(query).await.unwrap().items.is_empty());
    }
    assert_eq!(subject.commit(append(3, segment(id, 4, 1, "late"))).await, MISSING);
}
