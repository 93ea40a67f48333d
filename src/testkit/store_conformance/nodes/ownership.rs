//! Epochs, and which node owns a response.

use crate::domain::Timestamp;
use crate::protocol::{ResponseId, Status};
use crate::store::{AppendRecord, CommitOutcome, JournalEntry};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    epochs_grow_and_no_two_nodes_share_one,
    a_claim_moves_a_response_to_its_new_owner,
    a_claim_raises_the_version_of_the_log_and_never_lowers_it,
    a_claim_of_somebody_elses_ended_or_missing_response_conflicts,
    orphaned_are_a_nodes_live_responses_of_earlier_epochs_oldest_first,
    unended_are_the_live_responses_of_one_owner_oldest_first,
}

async fn epochs_grow_and_no_two_nodes_share_one(subject: StoreUnderTest<'_>) {
    let (one, two) = (ResponseId::new().to_string(), ResponseId::new().to_string());
    let mut epochs = Vec::new();
    for node in [&one, &two, &one, &one, &two] {
        epochs.push(subject.store.nodes.next_epoch(node, LEASE).await.unwrap());
    }
    assert!(epochs.is_sorted_by(|earlier, later| earlier < later), "{epochs:?}");
}

async fn a_claim_moves_a_response_to_its_new_owner(subject: StoreUnderTest<'_>) {
    let id = subject.admitted().await.row.id;
    let node = subject.node(LEASE).await;
    for _ in 0..2 {
        assert_eq!(subject.commit(node.claim(id, EPOCH)).await, CommitOutcome::Committed);
    }
    let row = subject.row(id).await;
    assert_eq!((row.node, row.epoch), (node.name, node.epoch));
    let next = segment(id, 3, 1, "b");
    assert_eq!(subject.commit(append(0, next.clone())).await, OWNER);
    assert_eq!(
        subject
            .commit(JournalEntry::Append(AppendRecord { epoch: node.epoch, after: 0, begins: false, segment: next }))
            .await,
        CommitOutcome::Committed
    );
}

async fn a_claim_raises_the_version_of_the_log_and_never_lowers_it(subject: StoreUnderTest<'_>) {
    let node = subject.node(LEASE).await;
    for (written, after) in [(1, 2), (2, 2), (3, 3)] {
        let mut admission = admission();
        admission.row.fold_version = written;
        assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
        assert_eq!(subject.commit(node.claim(admission.row.id, EPOCH)).await, CommitOutcome::Committed);
        assert_eq!(subject.row(admission.row.id).await.fold_version, after);
    }
}

async fn a_claim_of_somebody_elses_ended_or_missing_response_conflicts(subject: StoreUnderTest<'_>) {
    let admission = subject.admitted().await;
    let id = admission.row.id;
    let node = subject.node(LEASE).await;
    assert_eq!(subject.commit(node.claim(id, EPOCH - 1)).await, OWNER);
    assert_eq!(subject.commit(end(&ending(&admission))).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(node.claim(id, EPOCH)).await, ENDED);
    assert_eq!(subject.commit(node.claim(ResponseId::new(), EPOCH)).await, MISSING);
    assert_eq!(subject.row(id).await.epoch, EPOCH);
}

async fn orphaned_are_a_nodes_live_responses_of_earlier_epochs_oldest_first(subject: StoreUnderTest<'_>) {
    let node = ResponseId::new().to_string();
    let mut ids = Vec::new();
    for (status, epoch, created) in [(Status::Queued, 1, 20), (Status::InProgress, 2, 10), (Status::InProgress, 3, 5)] {
        let mut admission = admission();
        admission.row.node.clone_from(&node);
        (admission.row.status, admission.row.epoch) = (status, epoch);
        admission.row.created_at = Timestamp::from_micros(created);
        assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
        ids.push(admission.row.id);
    }
    let mut ended = admission();
    ended.row.node.clone_from(&node);
    ended.row.epoch = 1;
    let mut ending = ending(&ended);
    ending.epoch = 1;
    assert_eq!(subject.commit_all(&[admit(&ended), end(&ending)]).await, [CommitOutcome::Committed; 2]);

    let left = async |epoch| {
        let rows = subject.store.responses.orphaned(&node, epoch, u32::MAX).await.unwrap();
        rows.into_iter().filter(|row| row.node == node).map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(left(3).await, [ids[1], ids[0]]);
    assert_eq!(left(4).await, [ids[2], ids[1], ids[0]]);
    assert!(left(1).await.is_empty());
    let all = subject.store.responses.orphaned(&node, 4, u32::MAX).await.unwrap();
    assert!(all.is_sorted_by_key(|found| (found.set_aside.is_some(), found.node != node)));
    assert_eq!(subject.store.responses.orphaned(&node, 4, 2).await.unwrap(), all[..2]);
}

async fn unended_are_the_live_responses_of_one_owner_oldest_first(subject: StoreUnderTest<'_>) {
    let node = ResponseId::new().to_string();
    let mut ids = Vec::new();
    for (epoch, created) in [(7, 20), (7, 10), (7, 15), (6, 5), (8, 5)] {
        let mut admission = admission();
        admission.row.node.clone_from(&node);
        admission.row.epoch = epoch;
        admission.row.created_at = Timestamp::from_micros(created);
        assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
        ids.push((admission.row.id, admission));
    }
    let (ended, admission) = &ids[2];
    let mut ending = ending(admission);
    ending.epoch = 7;
    assert_eq!(subject.commit(end(&ending)).await, CommitOutcome::Committed, "{ended}");
    let unended = async |limit| subject.store.responses.unended(&node, 7, limit).await.unwrap();
    assert_eq!(unended(u32::MAX).await, [ids[1].0, ids[0].0]);
    assert_eq!(unended(1).await, [ids[1].0]);
    assert!(subject.store.responses.unended(&ResponseId::new().to_string(), 7, 9).await.unwrap().is_empty());
}
