//! API keys: their form, their hashes, and what revoking and an absent database do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod away;

use std::sync::Arc;

use self::away::Away;
use super::{AccountService, ApiKey, AuthError, Authenticator, ServiceError, api_key};
use crate::domain::Timestamp;
use crate::protocol::UserId;
use crate::store::{AccountError, AccountStore as _, MemoryStore, UserRecord};
use crate::vault::{KeyRing, Vault};

const NOW: Timestamp = Timestamp::from_micros(1);

struct Fixture {
    accounts: Arc<MemoryStore>,
    service: AccountService,
    authenticator: Authenticator,
}

fn fixture() -> Fixture {
    let accounts = Arc::new(MemoryStore::default());
    let vault = Vault::new(KeyRing::generate().unwrap(), Arc::clone(&accounts) as _);
    let authenticator = Authenticator::new(Arc::clone(&accounts) as _, vault.pepper());
    Fixture { service: AccountService::new(Arc::clone(&accounts) as _, vault), accounts, authenticator }
}

async fn key_of(fixture: &Fixture, user: &str) -> ApiKey {
    let user = fixture.service.create_user(user, NOW).await.unwrap();
    fixture.service.create_key(user.id, "laptop", NOW).await.unwrap()
}

#[tokio::test]
async fn a_key_authenticates_its_user_and_only_its_hash_is_kept() {
    let fixture = fixture();
    let key = key_of(&fixture, "ada").await;
    let principal = fixture.authenticator.authenticate(key.expose()).await.unwrap();
    assert_eq!(principal.user, fixture.service.find_user("ada").await.unwrap().id);
    let kept = fixture.accounts.api_keys().await.unwrap().remove(0);
    let secret = key.expose().rsplit_once('_').map(|_| api_key::split(key.expose()).unwrap().1).unwrap();
    assert_eq!(kept.id, principal.key_id);
    assert_eq!(kept.hash.len(), 32);
    assert!(!format!("{kept:?}").contains(secret));
}

#[tokio::test]
async fn a_wrong_secret_an_unknown_id_and_garbage_are_all_refused_alike() {
    let fixture = fixture();
    let (mine, yours) = (key_of(&fixture, "ada").await, key_of(&fixture, "bob").await);
    let (id, secret) = (api_key::split(mine.expose()).unwrap().0, api_key::split(yours.expose()).unwrap().1);
    let unknown = format!("ak_0000000000000000_{secret}");
    for bearer in [&format!("{id}_{secret}"), &unknown, "", "ak_", "sk-test", "ak_ä", &"ak_é".repeat(40)] {
        let refused = fixture.authenticator.authenticate(bearer).await;
        assert!(matches!(refused, Err(AuthError::InvalidKey)), "{bearer}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_keeps_its_time() {
    let fixture = fixture();
    let key = key_of(&fixture, "ada").await;
    let id = fixture.authenticator.authenticate(key.expose()).await.unwrap().key_id;
    assert!(fixture.service.revoke_key(&id, NOW).await.unwrap());
    assert!(fixture.service.revoke_key(&id, Timestamp::from_micros(2)).await.unwrap());
    assert!(!fixture.service.revoke_key("ak_0000000000000000", NOW).await.unwrap());
    assert!(matches!(fixture.authenticator.authenticate(key.expose()).await, Err(AuthError::InvalidKey)));
    assert_eq!(fixture.accounts.api_key(&id).await.unwrap().unwrap().revoked_at, Some(NOW));
}

#[tokio::test]
async fn a_database_that_is_away_says_nothing_about_a_key() {
    let fixture = fixture();
    let key = key_of(&fixture, "ada").await;
    let authenticator = Authenticator::new(Arc::new(Away::default()), KeyRing::generate().unwrap().pepper());
    assert!(matches!(authenticator.authenticate(key.expose()).await, Err(AuthError::Unavailable(_))));
}

#[tokio::test]
async fn names_are_unique_and_printable() {
    let fixture = fixture();
    key_of(&fixture, "ada").await;
    let taken = fixture.service.create_user("ada", NOW).await;
    assert!(matches!(taken, Err(ServiceError::Accounts(AccountError::NameTaken))));
    for name in ["", "a\nb", &"x".repeat(65)] {
        assert!(matches!(fixture.service.create_user(name, NOW).await, Err(ServiceError::InvalidName)));
    }
}

#[tokio::test]
async fn a_user_is_found_by_name_and_by_id() {
    let fixture = fixture();
    let (ada, bob) = (fixture.service.create_user("ada", NOW).await.unwrap(), UserId::new().to_string());
    for known in ["ada", &ada.id.to_string()] {
        assert_eq!(fixture.service.find_user(known).await.unwrap(), ada);
    }
    for unknown in ["bob", &bob] {
        let refused = fixture.service.find_user(unknown).await;
        assert!(matches!(refused, Err(ServiceError::Accounts(AccountError::UnknownUser))), "{unknown}");
    }
}

/// The result of ensuring a user that another process adds between the lookup and the insertion; `found` is what the
/// lookups find. All other calls fail, also those that read the whole table.
async fn ensured<const LOOKS: usize>(found: [Option<UserRecord>; LOOKS]) -> Result<UserRecord, ServiceError> {
    let vault = Vault::new(KeyRing::generate().unwrap(), Arc::new(MemoryStore::default()));
    AccountService::new(Arc::new(Away::racing(found)), vault).ensure_user("ada", NOW).await
}

#[tokio::test]
async fn who_is_slower_to_add_a_user_gets_the_other_ones() {
    let ada = UserRecord { id: UserId::new(), name: "ada".to_owned(), created_at: NOW, deleted_at: None };
    assert_eq!(ensured([Some(ada.clone())]).await.unwrap(), ada);
    assert_eq!(ensured([None, Some(ada.clone())]).await.unwrap(), ada);
}

#[tokio::test]
async fn a_name_that_is_taken_and_not_there_is_not_asked_for_for_ever() {
    let taken = ensured([None, None]).await;
    assert!(matches!(taken, Err(ServiceError::Accounts(AccountError::NameTaken))), "{taken:?}");
}

#[test]
fn keys_have_one_form_and_never_repeat() {
    let (one, other) = (ApiKey::generate().unwrap(), ApiKey::generate().unwrap());
    let (id, secret) = api_key::split(one.expose()).unwrap();
    assert_eq!((id.len(), secret.len(), one.expose().len()), (19, 43, 63));
    assert!(id.starts_with("ak_"));
    assert_ne!(one.expose(), other.expose());
}
