#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use super::FlakyStore;
use crate::protocol::ResponseId;
use crate::store::{CommitOutcome, Error, GroupCommit as _, JournalEntry, MemoryStore};

fn flaky() -> Arc<FlakyStore> {
    Arc::new(FlakyStore::new(Arc::new(MemoryStore::new())))
}

fn delete() -> [JournalEntry; 1] {
    [JournalEntry::Delete(ResponseId::new())]
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_until_it_comes_back() {
    let store = flaky();
    store.go_away();
    assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
    assert!(matches!(store.commit(&delete()).await, Err(Error::Unavailable(_))));
    store.come_back();
    store.ping().await.unwrap();
    assert_eq!(store.commits(), 0);
}

#[tokio::test]
async fn a_held_commit_goes_on_when_the_gate_opens() {
    let store = flaky();
    store.hold_commits();
    let commit = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(&delete()).await }
    });
    store.commit_held().await;
    assert_eq!(store.commits(), 0);
    store.release_commits();
    assert_eq!(commit.await.unwrap().unwrap(), [CommitOutcome::Committed]);
    assert_eq!(store.entries_per_commit(), [1]);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_was_made() {
    let store = flaky();
    store.fail_after_commit(1);
    assert!(matches!(store.commit(&delete()).await, Err(Error::Unavailable(_))));
    assert_eq!(store.commits(), 1);
    assert_eq!(store.commit(&delete()).await.unwrap(), [CommitOutcome::Committed]);
}
