//! Users, API keys and data keys.

use bytes::Bytes;

use crate::domain::Timestamp;
use crate::protocol::{ResponseId, UserId};
use crate::store::{
    AccountError, AdmissionRecord, ApiKeyRecord, CommitOutcome, ItemSide, ResponseRow, UserRecord, WrappedKey,
};
use crate::testkit::store_conformance::{
    fixtures::*,
    suite::{StoreUnderTest, cases},
};

cases! {
    a_user_reads_back_with_its_data_key,
    a_user_is_found_by_exactly_its_name,
    a_name_is_taken_once,
    a_data_key_is_rewrapped_only_from_what_it_is,
    an_api_key_reads_back,
    an_api_key_needs_its_user,
    a_revoked_key_keeps_its_first_time,
    deleting_a_user_deletes_all_that_is_its_own,
    a_user_who_is_being_deleted_has_no_keys_and_gets_none,
    what_a_user_who_is_being_deleted_runs_is_found_by_its_node,
}

/// When users are deleted.
const AT: Timestamp = Timestamp::from_micros(77);

fn wrapped(key_version: u32, bytes: &'static str) -> WrappedKey {
    WrappedKey { key_version, bytes: Bytes::from_static(bytes.as_bytes()) }
}

async fn created(subject: StoreUnderTest<'_>) -> UserRecord {
    let id = UserId::new();
    let user =
        UserRecord { id, name: format!("name of {id}"), created_at: Timestamp::from_micros(5), deleted_at: None };
    subject.store.accounts.create_user(user.clone(), wrapped(1, "wrapped")).await.unwrap();
    user
}

async fn with_key(subject: StoreUnderTest<'_>, user: UserId, created_at: i64) -> ApiKeyRecord {
    let key = ApiKeyRecord {
        id: ResponseId::new().to_string(),
        user,
        name: "a key".to_owned(),
        hash: Bytes::from_static(b"hash"),
        created_at: Timestamp::from_micros(created_at),
        revoked_at: None,
    };
    subject.store.accounts.create_api_key(key.clone()).await.unwrap();
    key
}

async fn a_user_reads_back_with_its_data_key(subject: StoreUnderTest<'_>) {
    let (one, two) = (created(subject).await, created(subject).await);
    let users = subject.store.accounts.users().await.unwrap();
    assert!(users.is_sorted_by_key(|user| &user.name));
    assert!(users.contains(&one) && users.contains(&two));
    assert_eq!(subject.store.accounts.data_key(one.id).await.unwrap(), Some(wrapped(1, "wrapped")));
    assert!(subject.store.accounts.data_keys().await.unwrap().contains(&(two.id, wrapped(1, "wrapped"))));
    assert_eq!(subject.store.accounts.data_key(UserId::new()).await.unwrap(), None);
}

async fn a_user_is_found_by_exactly_its_name(subject: StoreUnderTest<'_>) {
    let (one, two) = (created(subject).await, created(subject).await);
    let found = async |name: &str| subject.store.accounts.user_by_name(name).await.unwrap();
    assert_eq!((found(&one.name).await, found(&two.name).await), (Some(one.clone()), Some(two)));
    for name in ["", "%", &one.name.to_uppercase(), &format!("{} ", one.name), &one.id.to_string()] {
        assert_eq!(found(name).await, None, "{name:?}");
    }
    assert!(subject.store.accounts.delete_user(one.id, AT).await.unwrap());
    assert_eq!(found(&one.name).await, None);
}

async fn a_name_is_taken_once(subject: StoreUnderTest<'_>) {
    let mut other = created(subject).await;
    other.id = UserId::new();
    let answer = subject.store.accounts.create_user(other.clone(), wrapped(1, "wrapped")).await;
    assert!(matches!(answer, Err(AccountError::NameTaken)));
    assert_eq!(subject.store.accounts.data_key(other.id).await.unwrap(), None, "nothing is left behind");
}

async fn a_data_key_is_rewrapped_only_from_what_it_is(subject: StoreUnderTest<'_>) {
    let user = created(subject).await.id;
    let (old, new) = (wrapped(1, "wrapped"), wrapped(2, "wrapped again"));
    let rewrap = async |old: &WrappedKey| subject.store.accounts.rewrap_data_key(user, old, new.clone()).await.unwrap();
    assert!(!rewrap(&wrapped(1, "other bytes")).await);
    assert!(!rewrap(&wrapped(3, "wrapped")).await);
    assert!(rewrap(&old).await);
    assert!(!rewrap(&old).await);
    assert_eq!(subject.store.accounts.data_key(user).await.unwrap(), Some(new.clone()));
}

async fn an_api_key_reads_back(subject: StoreUnderTest<'_>) {
    let user = created(subject).await.id;
    let (newer, older) = (with_key(subject, user, 9).await, with_key(subject, user, 8).await);
    assert_eq!(subject.store.accounts.api_key(&newer.id).await.unwrap(), Some(newer.clone()));
    assert_eq!(subject.store.accounts.api_key("nobody's").await.unwrap(), None);
    let all = subject.store.accounts.api_keys().await.unwrap();
    let of_user: Vec<&ApiKeyRecord> = all.iter().filter(|key| key.user == user).collect();
    assert_eq!(of_user, [&older, &newer]);
}

async fn an_api_key_needs_its_user(subject: StoreUnderTest<'_>) {
    let mut key = with_key(subject, created(subject).await.id, 1).await;
    key.id.push_str(" more");
    key.user = UserId::new();
    assert!(matches!(subject.store.accounts.create_api_key(key).await, Err(AccountError::UnknownUser)));
}

async fn a_revoked_key_keeps_its_first_time(subject: StoreUnderTest<'_>) {
    let key = with_key(subject, created(subject).await.id, 1).await;
    for at in [3, 4] {
        assert!(subject.store.accounts.revoke_api_key(&key.id, Timestamp::from_micros(at)).await.unwrap());
    }
    let revoked = subject.store.accounts.api_key(&key.id).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(Timestamp::from_micros(3)));
    assert!(!subject.store.accounts.revoke_api_key("nobody's", Timestamp::from_micros(3)).await.unwrap());
}

async fn deleting_a_user_deletes_all_that_is_its_own(subject: StoreUnderTest<'_>) {
    let (user, other) = (created(subject).await, created(subject).await);
    let key = with_key(subject, user.id, 1).await;
    let (mine, theirs) = (admission_of(ResponseId::new(), user.id), admission_of(ResponseId::new(), other.id));
    assert_eq!(subject.commit_all(&[admit(&mine), admit(&theirs)]).await, [CommitOutcome::Committed; 2]);
    assert!(subject.store.accounts.delete_user(user.id, AT).await.unwrap());
    assert!(!subject.store.accounts.delete_user(user.id, AT).await.unwrap());
    assert_eq!(subject.store.responses.response(mine.row.id).await.unwrap(), None);
    assert!(subject.log(mine.row.id).await.is_empty());
    assert!(subject.items(mine.row.id, ItemSide::Input).await.is_empty());
    assert_eq!(subject.store.accounts.api_key(&key.id).await.unwrap(), None);
    assert_eq!(subject.store.accounts.data_key(user.id).await.unwrap(), None);
    assert!(!subject.store.accounts.users().await.unwrap().contains(&user));
    assert_eq!(subject.row(theirs.row.id).await, theirs.row);
    assert!(subject.store.accounts.data_key(other.id).await.unwrap().is_some());
}

async fn a_user_who_is_being_deleted_has_no_keys_and_gets_none(subject: StoreUnderTest<'_>) {
    let user = created(subject).await;
    let mut key = with_key(subject, user.id, 1).await;
    let mark = async |at| subject.store.accounts.mark_user_deleted(user.id, Timestamp::from_micros(at)).await.unwrap();
    assert!(mark(8).await && mark(9).await);
    let found = subject.store.accounts.user_by_name(&user.name).await.unwrap().unwrap();
    assert_eq!(found.deleted_at, Some(Timestamp::from_micros(8)), "the first time stays");
    let before = async |at| subject.store.accounts.users_deleted_before(Timestamp::from_micros(at)).await.unwrap();
    assert!(before(9).await.contains(&user.id) && !before(8).await.contains(&user.id));
    let revoked = subject.store.accounts.api_key(&key.id).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(Timestamp::from_micros(8)));
    key.id.push_str(" more");
    assert!(matches!(subject.store.accounts.create_api_key(key).await, Err(AccountError::UnknownUser)));
    assert!(!subject.store.accounts.mark_user_deleted(UserId::new(), AT).await.unwrap());
}

async fn what_a_user_who_is_being_deleted_runs_is_found_by_its_node(subject: StoreUnderTest<'_>) {
    let (user, node) = (created(subject).await, subject.node(LEASE).await);
    let mut live = admission_of(ResponseId::new(), user.id);
    (live.row.node, live.row.epoch) = (node.name.clone(), node.epoch);
    let mut ended = live.clone();
    ended = AdmissionRecord { row: ResponseRow { id: ResponseId::new(), ..ended.row }, segment: None, ..ended };
    ended.items.clear();
    ended.row.stored = false;
    let mut over = ending(&ended);
    (over.epoch, over.last_segment, over.items) = (node.epoch, None, Vec::new());
    let group = [admit(&live), admit(&ended), end(&over)];
    assert_eq!(subject.commit_all(&group).await, [CommitOutcome::Committed; 3]);
    let found = async || subject.store.responses.live_of_deleted_users(&node.name, 10).await.unwrap();
    assert_eq!(found().await, []);
    assert!(subject.store.accounts.mark_user_deleted(user.id, AT).await.unwrap());
    assert_eq!(found().await, [(user.id, live.row.id)]);
    let to_end = async || subject.store.accounts.responses_to_end(user.id).await.unwrap();
    assert_eq!(subject.store.responses.live_of_deleted_users("another", 10).await.unwrap(), []);
    assert_eq!(to_end().await, 1);
    assert!(subject.store.accounts.delete_user(user.id, AT).await.unwrap());
    assert_eq!(found().await, []);
    assert_eq!(to_end().await, 0);
}
