//! Two stores on one database: whoever comes first, the record tells one story.

use std::time::Duration;

use antiphon::{
    domain::Idempotency,
    protocol::Status,
    store::{
        AdmissionRecord, ClaimRecord, CommitOutcome, Conflict, GroupCommit, JournalEntry, NodeStore, ResponseStore,
        SqlStore,
    },
};

use super::{
    TestDatabase,
    responses::{EPOCH, admit, append, committed, ending, live},
};

const ROUNDS: usize = 40;

/// Longer than any test takes.
const LEASE: Duration = Duration::from_secs(600);

/// Commits both at once, each through its own store, and gives the outcomes with the length of the log.
async fn race(
    stores: &[SqlStore; 2],
    admission: &AdmissionRecord,
    entries: [JournalEntry; 2],
) -> ([CommitOutcome; 2], usize) {
    committed(&stores[0], admit(admission)).await;
    let [one, two] = entries;
    let (one, two) = ([one], [two]);
    let (one, two) = tokio::join!(stores[0].commit(&one), stores[1].commit(&two));
    let log = stores[0].segments(admission.row.id, 0, 10).await.unwrap();
    ([one.unwrap()[0], two.unwrap()[0]], log.len())
}

async fn pair(database: &TestDatabase) -> [SqlStore; 2] {
    [database.store().await, database.store().await]
}

/// The other node's claim, by that epoch.
fn claim(admission: &AdmissionRecord, epoch: i64) -> JournalEntry {
    JournalEntry::Claim(ClaimRecord {
        id: admission.row.id,
        from_epoch: EPOCH,
        node: "two".to_owned(),
        epoch,
        fold_version: 1,
    })
}

#[tokio::test]
async fn of_two_endings_one_wins() {
    for database in TestDatabase::both() {
        let stores = pair(&database).await;
        for _ in 0..ROUNDS {
            let admission = live();
            let mut other = ending(&admission, "completed");
            other.status = Status::Completed;
            let entries =
                [JournalEntry::End(Box::new(ending(&admission, "cancelled"))), JournalEntry::End(Box::new(other))];
            let (outcomes, log) = race(&stores, &admission, entries).await;
            let winners = outcomes.iter().filter(|outcome| **outcome == CommitOutcome::Committed).count();
            assert_eq!((winners, log), (1, 2), "{outcomes:?}");
            assert!(outcomes.contains(&CommitOutcome::Conflict(Conflict::Ended)), "{outcomes:?}");
            let status = stores[1].response(admission.row.id).await.unwrap().unwrap().status;
            let expected = if outcomes[0] == CommitOutcome::Committed { Status::Cancelled } else { Status::Completed };
            assert_eq!(status, expected);
        }
    }
}

#[tokio::test]
async fn an_append_and_an_ending_at_the_same_place_do_not_both_win() {
    for database in TestDatabase::both() {
        let stores = pair(&database).await;
        for _ in 0..ROUNDS {
            let admission = live();
            let end = JournalEntry::End(Box::new(ending(&admission, "cancelled")));
            let (outcomes, log) = race(&stores, &admission, [append(&admission, 0, 1, "text"), end]).await;
            assert_eq!(log, 2, "{outcomes:?}");
            let expected: [[CommitOutcome; 2]; 2] = [
                [CommitOutcome::Committed, CommitOutcome::Conflict(Conflict::Position)],
                [CommitOutcome::Conflict(Conflict::Ended), CommitOutcome::Committed],
            ];
            assert!(expected.contains(&outcomes), "{outcomes:?}");
        }
    }
}

#[tokio::test]
async fn an_old_owner_appends_before_a_claim_or_not_at_all() {
    for database in TestDatabase::both() {
        let stores = pair(&database).await;
        assert_eq!(stores[0].next_epoch("one", Duration::ZERO).await.unwrap(), EPOCH);
        let claimant = stores[1].next_epoch("two", LEASE).await.unwrap();
        for _ in 0..ROUNDS {
            let admission = live();
            let entries = [append(&admission, 0, 1, "text"), claim(&admission, claimant)];
            let ([appended, claimed], log) = race(&stores, &admission, entries).await;
            assert_eq!(claimed, CommitOutcome::Committed);
            match appended {
                CommitOutcome::Committed => assert_eq!(log, 2),
                conflict => assert_eq!((conflict, log), (CommitOutcome::Conflict(Conflict::Owner), 1)),
            }
        }
    }
}

#[tokio::test]
async fn an_append_that_races_with_a_delete_disturbs_nobody() {
    for database in TestDatabase::both() {
        let stores = pair(&database).await;
        for _ in 0..ROUNDS {
            let (admission, bystander) = (live(), live());
            committed(&stores[0], admit(&admission)).await;
            committed(&stores[0], admit(&bystander)).await;
            let group = [append(&admission, 0, 1, "text"), append(&bystander, 0, 1, "text")];
            let delete = [JournalEntry::Delete(admission.row.id)];
            let (appended, deleted) = tokio::join!(stores[0].commit(&group), stores[1].commit(&delete));
            assert_eq!(deleted.unwrap(), [CommitOutcome::Committed]);
            let appended = appended.unwrap();
            assert!(
                [CommitOutcome::Committed, CommitOutcome::Conflict(Conflict::Missing)].contains(&appended[0]),
                "{appended:?}"
            );
            assert_eq!(appended[1], CommitOutcome::Committed);
            assert!(stores[0].segments(admission.row.id, 0, 10).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn two_nodes_that_take_epochs_at_once_get_different_ones() {
    for database in TestDatabase::both() {
        let stores = pair(&database).await;
        for _ in 0..ROUNDS {
            let (one, two) = tokio::join!(stores[0].next_epoch("one", LEASE), stores[1].next_epoch("two", LEASE));
            assert_ne!(one.unwrap(), two.unwrap());
        }
    }
}

/// A new response for each of these idempotency keys.
fn claims(round: u8, keys: impl Iterator<Item = u8>) -> Vec<JournalEntry> {
    let claim = |key| {
        let mut admission = live();
        let mut digest = [key; 32];
        digest[31] = round;
        admission.idempotency = Some(Idempotency { key: digest, fingerprint: [0; 32] });
        admit(&admission)
    };
    keys.map(claim).collect()
}

#[tokio::test]
async fn two_nodes_that_claim_the_same_keys_get_each_one_once_and_wait_for_each_other_in_no_circle() {
    for database in TestDatabase::both() {
        let stores = pair(&database).await;
        for round in 0..40 {
            let (one, two) = (claims(round, 0..20), claims(round, (0..20).rev()));
            let (one, two) = tokio::join!(stores[0].commit(&one), stores[1].commit(&two));
            for (one, two) in one.unwrap().into_iter().zip(two.unwrap().into_iter().rev()) {
                let taken = CommitOutcome::Conflict(Conflict::KeyTaken);
                assert!([[CommitOutcome::Committed, taken], [taken, CommitOutcome::Committed]].contains(&[one, two]));
            }
        }
    }
}
