//! Which node may take over which responses.

use std::time::Duration;

use crate::protocol::ResponseId;
use crate::store::CommitOutcome;
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    a_response_is_claimed_from_a_node_without_a_lease_only,
    a_node_without_a_lease_claims_nothing,
    a_node_claims_from_its_own_earlier_epoch_at_once,
    a_claim_under_an_epoch_that_is_not_the_nodes_newest_conflicts,
    a_response_that_was_claimed_stays_with_its_new_owner,
    a_lease_is_renewed_by_the_newest_epoch_alone,
    who_has_a_lease_can_be_asked,
    a_lease_that_was_given_up_can_be_taken_again,
    orphaned_are_the_responses_of_nodes_without_a_lease_too,
}

/// The length of a lease that ends at once.
const OVER: Duration = Duration::ZERO;

async fn a_response_is_claimed_from_a_node_without_a_lease_only(subject: StoreUnderTest<'_>) {
    let claimant = subject.node(LEASE).await;
    for (lease, expected) in [(OVER, CommitOutcome::Committed), (LEASE, OWNER)] {
        let owner = subject.node(lease).await;
        let id = subject.admitted_by(&owner).await;
        assert_eq!(subject.commit(claimant.claim(id, owner.epoch)).await, expected, "{lease:?}");
        let now = subject.row(id).await;
        let expected = if expected == CommitOutcome::Committed { &claimant } else { &owner };
        assert_eq!((&now.node, now.epoch), (&expected.name, expected.epoch), "{lease:?}");
    }
}

async fn a_node_without_a_lease_claims_nothing(subject: StoreUnderTest<'_>) {
    let owner = subject.node(OVER).await;
    let id = subject.admitted_by(&owner).await;
    let claimant = subject.node(OVER).await;
    assert_eq!(subject.commit(claimant.claim(id, owner.epoch)).await, OWNER);
    let stranger = NamedNode { name: ResponseId::new().to_string(), epoch: claimant.epoch };
    assert_eq!(subject.commit(stranger.claim(id, owner.epoch)).await, OWNER);
    let owner_again = subject.restarted(&owner.name, OVER).await;
    assert_eq!(subject.commit(owner_again.claim(id, owner.epoch)).await, OWNER);
    assert_eq!(subject.row(id).await.epoch, owner.epoch);
    assert!(subject.store.nodes.renew_lease(&claimant.name, claimant.epoch, LEASE).await.unwrap());
    assert_eq!(subject.commit(claimant.claim(id, owner.epoch)).await, CommitOutcome::Committed);
}

async fn a_node_claims_from_its_own_earlier_epoch_at_once(subject: StoreUnderTest<'_>) {
    let before = subject.node(LEASE).await;
    let id = subject.admitted_by(&before).await;
    let now = subject.restarted(&before.name, LEASE).await;
    assert_eq!(subject.commit(now.claim(id, before.epoch)).await, CommitOutcome::Committed);
}

async fn a_claim_under_an_epoch_that_is_not_the_nodes_newest_conflicts(subject: StoreUnderTest<'_>) {
    let owner = subject.node(OVER).await;
    let id = subject.admitted_by(&owner).await;
    let before = subject.node(LEASE).await;
    let now = subject.restarted(&before.name, LEASE).await;
    assert_eq!(subject.commit(before.claim(id, owner.epoch)).await, OWNER);
    assert_eq!(subject.commit(now.claim(id, owner.epoch)).await, CommitOutcome::Committed);
}

async fn a_response_that_was_claimed_stays_with_its_new_owner(subject: StoreUnderTest<'_>) {
    let owner = subject.node(OVER).await;
    let id = subject.admitted_by(&owner).await;
    let (one, two) = (subject.node(LEASE).await, subject.node(LEASE).await);
    assert_eq!(subject.commit(one.claim(id, owner.epoch)).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(two.claim(id, owner.epoch)).await, OWNER);
    assert_eq!(subject.commit(two.claim(id, one.epoch)).await, OWNER);
    // The answer to its first claim may have been lost, and its lease may have ended since.
    assert!(subject.store.nodes.renew_lease(&one.name, one.epoch, OVER).await.unwrap());
    assert_eq!(subject.commit(one.claim(id, owner.epoch)).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(two.claim(id, one.epoch)).await, CommitOutcome::Committed);
}

async fn a_lease_is_renewed_by_the_newest_epoch_alone(subject: StoreUnderTest<'_>) {
    let before = subject.node(OVER).await;
    let now = subject.restarted(&before.name, OVER).await;
    let id = subject.admitted_by(&now).await;
    assert!(!subject.store.nodes.renew_lease(&before.name, before.epoch, LEASE).await.unwrap());
    assert!(!subject.store.nodes.renew_lease(&ResponseId::new().to_string(), now.epoch, LEASE).await.unwrap());
    let other = subject.node(LEASE).await;
    assert_eq!(subject.commit(other.claim(id, now.epoch)).await, CommitOutcome::Committed, "nothing was renewed");

    let id = subject.admitted_by(&now).await;
    assert!(subject.store.nodes.renew_lease(&now.name, now.epoch, LEASE).await.unwrap());
    assert!(!subject.store.nodes.renew_lease(&before.name, before.epoch, OVER).await.unwrap());
    assert_eq!(subject.commit(other.claim(id, now.epoch)).await, OWNER);
}

async fn a_lease_that_was_given_up_can_be_taken_again(subject: StoreUnderTest<'_>) {
    let owner = subject.node(LEASE).await;
    let other = subject.node(LEASE).await;
    for (lease, expected) in [(OVER, CommitOutcome::Committed), (LEASE, OWNER), (OVER, CommitOutcome::Committed)] {
        let id = subject.admitted_by(&owner).await;
        assert!(subject.store.nodes.renew_lease(&owner.name, owner.epoch, lease).await.unwrap());
        assert_eq!(subject.commit(other.claim(id, owner.epoch)).await, expected);
    }
}

async fn orphaned_are_the_responses_of_nodes_without_a_lease_too(subject: StoreUnderTest<'_>) {
    let (gone, alive, own) = (subject.node(OVER).await, subject.node(LEASE).await, subject.node(LEASE).await);
    let mut ids = Vec::new();
    for node in [&gone, &alive, &own] {
        ids.push(subject.admitted_by(node).await);
    }
    let mut of_nobody = admission();
    of_nobody.row.node = ResponseId::new().to_string();
    let mut ended = admission();
    ended.row.node.clone_from(&gone.name);
    assert_eq!(
        subject.commit_all(&[admit(&of_nobody), admit(&ended), end(&ending(&ended))]).await,
        [CommitOutcome::Committed; 3]
    );
    ids.extend([of_nobody.row.id, ended.row.id]);
    let left = async || {
        let rows = subject.store.responses.orphaned(&own.name, own.epoch, u32::MAX).await.unwrap();
        ids.iter().map(|id| rows.iter().any(|row| row.id == *id)).collect::<Vec<_>>()
    };
    assert_eq!(left().await, [true, false, false, true, false]);
    assert!(subject.store.nodes.renew_lease(&gone.name, gone.epoch, LEASE).await.unwrap());
    assert!(subject.store.nodes.renew_lease(&alive.name, alive.epoch, OVER).await.unwrap());
    assert_eq!(left().await, [false, true, false, true, false]);
}

async fn who_has_a_lease_can_be_asked(subject: StoreUnderTest<'_>) {
    let has_lease = async |name: &str| subject.store.nodes.has_lease(name).await.unwrap();
    let node = subject.node(LEASE).await;
    assert!(has_lease(&node.name).await);
    assert!(subject.store.nodes.renew_lease(&node.name, node.epoch, OVER).await.unwrap());
    assert!(!has_lease(&node.name).await);
    assert!(!has_lease(&ResponseId::new().to_string()).await);
}
