//! Idempotency keys: claimed with an admission or not at all, released with an ending, deleted when they are old and
//! their response can't be read.

use crate::domain::{Idempotency, Timestamp};
use crate::protocol::{ResponseId, UserId};
use crate::store::{AdmissionRecord, CommitOutcome, IdempotencyRecord, ItemSide, JournalEntry};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    an_admission_claims_its_key,
    a_taken_key_leaves_nothing_of_the_admission,
    of_one_group_the_first_admission_gets_the_key,
    admitting_again_with_its_own_key_is_committed,
    a_key_of_one_user_is_free_for_another,
    an_ending_keeps_the_key_unless_it_releases_it,
    a_released_key_is_another_responses_and_stays_so,
    an_ending_that_conflicts_releases_nothing,
    a_key_outlives_its_deleted_response,
    old_keys_are_forgotten_once_their_response_cannot_be_read,
    deleting_a_user_deletes_its_keys,
}

/// A new response of that user that claims a key of its own.
fn claiming_as(user: UserId) -> AdmissionRecord {
    let mut admission = admission_of(ResponseId::new(), user);
    let mut key = [7; 32];
    key[..16].copy_from_slice(&admission.row.id.uuid().into_bytes());
    admission.idempotency = Some(Idempotency { key, fingerprint: [0xfe; 32] });
    admission
}

fn claiming() -> AdmissionRecord {
    claiming_as(UserId::new())
}

/// Another response of the same user that claims the same key, with another request.
fn rival(of: &AdmissionRecord) -> AdmissionRecord {
    let idempotency = of.idempotency.map(|claimed| Idempotency { fingerprint: [1; 32], ..claimed });
    AdmissionRecord { idempotency, ..admission_of(ResponseId::new(), of.row.user) }
}

impl StoreUnderTest<'_> {
    async fn key_of(self, admission: &AdmissionRecord) -> Option<IdempotencyRecord> {
        let key = admission.idempotency.unwrap().key;
        self.store.idempotency_keys.idempotency_key(admission.row.user, &key).await.unwrap()
    }

    async fn admit_claiming(self) -> AdmissionRecord {
        let admission = claiming();
        assert_eq!(self.commit(admit(&admission)).await, CommitOutcome::Committed);
        admission
    }

    async fn has_nothing_of(self, admission: &AdmissionRecord) {
        let id = admission.row.id;
        assert_eq!(self.store.responses.response(id).await.unwrap(), None);
        assert!(self.log(id).await.is_empty() && self.items(id, ItemSide::Input).await.is_empty());
    }
}

fn record(admission: &AdmissionRecord) -> Option<IdempotencyRecord> {
    let fingerprint = admission.idempotency?.fingerprint;
    Some(IdempotencyRecord { response: admission.row.id, fingerprint, created_at: admission.row.created_at })
}

fn releasing(admission: &AdmissionRecord) -> JournalEntry {
    let mut ending = ending(admission);
    ending.releases_key = true;
    end(&ending)
}

async fn an_admission_claims_its_key(subject: StoreUnderTest<'_>) {
    let admission = claiming();
    assert_eq!(subject.key_of(&admission).await, None);
    assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
    assert_eq!(subject.key_of(&admission).await, record(&admission));
    assert_eq!(subject.row(admission.row.id).await, admission.row);
}

async fn a_taken_key_leaves_nothing_of_the_admission(subject: StoreUnderTest<'_>) {
    let first = subject.admit_claiming().await;
    let (second, bystander) = (rival(&first), claiming());
    let outcomes = subject.commit_all(&[admit(&second), admit(&bystander)]).await;
    assert_eq!(outcomes, [KEY_TAKEN, CommitOutcome::Committed]);
    subject.has_nothing_of(&second).await;
    assert_eq!(subject.key_of(&first).await, record(&first));
    assert_eq!(subject.key_of(&bystander).await, record(&bystander));
    assert_eq!(subject.commit(admit(&second)).await, KEY_TAKEN, "the same answer again");
}

async fn of_one_group_the_first_admission_gets_the_key(subject: StoreUnderTest<'_>) {
    let (first, other) = (claiming(), claiming());
    let (second, third) = (rival(&first), rival(&other));
    let outcomes = subject.commit_all(&[admit(&first), admit(&other), admit(&third), admit(&second)]).await;
    assert_eq!(outcomes, [CommitOutcome::Committed, CommitOutcome::Committed, KEY_TAKEN, KEY_TAKEN]);
    assert_eq!(subject.key_of(&first).await, record(&first));
    assert_eq!(subject.key_of(&other).await, record(&other));
    subject.has_nothing_of(&second).await;
}

async fn admitting_again_with_its_own_key_is_committed(subject: StoreUnderTest<'_>) {
    let admission = subject.admit_claiming().await;
    assert_eq!(subject.commit(admit(&admission)).await, CommitOutcome::Committed);
    assert_eq!(subject.commit_all(&[end(&ending(&admission)), admit(&admission)]).await, [CommitOutcome::Committed; 2]);
    assert_eq!(subject.key_of(&admission).await, record(&admission));
}

async fn a_key_of_one_user_is_free_for_another(subject: StoreUnderTest<'_>) {
    let mine = subject.admit_claiming().await;
    let theirs = AdmissionRecord { idempotency: mine.idempotency, ..claiming() };
    assert_eq!(subject.commit(admit(&theirs)).await, CommitOutcome::Committed);
    assert_eq!(subject.key_of(&mine).await, record(&mine));
    assert_eq!(subject.key_of(&theirs).await, record(&theirs));
}

async fn an_ending_keeps_the_key_unless_it_releases_it(subject: StoreUnderTest<'_>) {
    let (kept, released) = (subject.admit_claiming().await, subject.admit_claiming().await);
    let group = [end(&ending(&kept)), releasing(&released)];
    assert_eq!(subject.commit_all(&group).await, [CommitOutcome::Committed; 2]);
    assert_eq!(subject.key_of(&kept).await, record(&kept));
    assert_eq!(subject.key_of(&released).await, None);
    assert_eq!(subject.row(released.row.id).await.id, released.row.id, "the response stays");
}

async fn a_released_key_is_another_responses_and_stays_so(subject: StoreUnderTest<'_>) {
    let first = subject.admit_claiming().await;
    assert_eq!(subject.commit(releasing(&first)).await, CommitOutcome::Committed);
    let second = rival(&first);
    assert_eq!(subject.commit(admit(&second)).await, CommitOutcome::Committed);
    assert_eq!(subject.commit(releasing(&first)).await, CommitOutcome::Committed, "a lost answer");
    assert_eq!(subject.key_of(&first).await, record(&second));
}

async fn an_ending_that_conflicts_releases_nothing(subject: StoreUnderTest<'_>) {
    let admission = subject.admit_claiming().await;
    let mut foreign = ending(&admission);
    (foreign.epoch, foreign.releases_key) = (EPOCH + 1, true);
    assert_eq!(subject.commit(end(&foreign)).await, OWNER);
    let mut misplaced = ending(&admission);
    (misplaced.last_segment, misplaced.releases_key) = (last_segment(0, segment(misplaced.id, 9, 1, "gap")), true);
    assert_eq!(subject.commit(end(&misplaced)).await, POSITION);
    assert_eq!(subject.key_of(&admission).await, record(&admission));
}

async fn a_key_outlives_its_deleted_response(subject: StoreUnderTest<'_>) {
    let admission = subject.admit_claiming().await;
    assert_eq!(subject.commit(JournalEntry::Delete(admission.row.id)).await, CommitOutcome::Committed);
    assert_eq!(subject.key_of(&admission).await, record(&admission));
    assert_eq!(subject.commit(admit(&rival(&admission))).await, KEY_TAKEN);
}

async fn old_keys_are_forgotten_once_their_response_cannot_be_read(subject: StoreUnderTest<'_>) {
    let at = |admission: &mut AdmissionRecord, micros| admission.row.created_at = Timestamp::from_micros(micros);
    let [mut stored, mut unstored, mut deleted, mut young] = [claiming(), claiming(), claiming(), claiming()];
    for admission in [&mut unstored, &mut young] {
        (admission.row.stored, admission.segment) = (false, None);
        admission.items.clear();
    }
    for (admission, micros) in [(&mut stored, 10), (&mut unstored, 11), (&mut deleted, 12), (&mut young, 13)] {
        at(admission, micros);
        assert_eq!(subject.commit(admit(admission)).await, CommitOutcome::Committed);
    }
    assert_eq!(subject.commit(JournalEntry::Delete(deleted.row.id)).await, CommitOutcome::Committed);
    let forget = async |micros| {
        subject.store.idempotency_keys.forget_idempotency_keys(Timestamp::from_micros(micros)).await.unwrap()
    };
    assert_eq!((forget(11).await, forget(13).await, forget(13).await), (0, 2, 0));
    assert_eq!(subject.key_of(&stored).await, record(&stored));
    assert_eq!(subject.key_of(&young).await, record(&young));
    assert_eq!((subject.key_of(&unstored).await, subject.key_of(&deleted).await), (None, None));
    assert_eq!(forget(14).await, 1, "it is old enough by then");
}

async fn deleting_a_user_deletes_its_keys(subject: StoreUnderTest<'_>) {
    let (mine, theirs) = (subject.admit_claiming().await, subject.admit_claiming().await);
    subject.store.accounts.delete_user(mine.row.user, Timestamp::from_micros(0)).await.unwrap();
    assert_eq!(subject.key_of(&mine).await, None);
    assert_eq!(subject.key_of(&theirs).await, record(&theirs));
}
