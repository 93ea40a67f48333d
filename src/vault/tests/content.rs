use proptest::prelude::*;

use super::{add_user, vault};
use crate::protocol::{ResponseId, UserId};
use crate::store::ItemSide;
use crate::vault::cipher::MAX_PLAINTEXT;
use crate::vault::key::SecretKey;
use crate::vault::{CiphertextContext, Error, KeyRing, ResponseKey, UserKey};

const PLACES: [CiphertextContext; 9] = [
    CiphertextContext::Content,
    CiphertextContext::Segment { first: 0 },
    CiphertextContext::Segment { first: 7 },
    CiphertextContext::Item { side: ItemSide::Input, position: 0, is_last: true },
    CiphertextContext::Item { side: ItemSide::Input, position: 0, is_last: false },
    CiphertextContext::Item { side: ItemSide::Input, position: 7, is_last: true },
    CiphertextContext::Item { side: ItemSide::Output, position: 7, is_last: true },
    CiphertextContext::UnmarkedItem { side: ItemSide::Input, position: 7 },
    CiphertextContext::UnmarkedItem { side: ItemSide::Output, position: 7 },
];

fn key() -> ResponseKey {
    UserKey::new(UserId::new(), SecretKey::generate().unwrap()).response_key(ResponseId::new())
}

#[test]
fn a_ciphertext_opens_in_its_own_place_only() {
    let key = key();
    for sealed_at in PLACES {
        let sealed = key.seal(sealed_at, b"hello").unwrap();
        for opened_at in PLACES {
            let opened = key.open(opened_at, &sealed);
            if sealed_at == opened_at {
                assert_eq!(opened.unwrap(), b"hello");
            } else {
                assert!(matches!(opened, Err(Error::Tampered)), "{sealed_at:?} opened at {opened_at:?}");
            }
        }
    }
}

#[tokio::test]
async fn swapping_ciphertexts_of_two_responses_or_two_users_is_detected() {
    let (vault, accounts) = vault(KeyRing::generate().unwrap());
    let (ada, bob) = (add_user(&vault, &accounts).await, add_user(&vault, &accounts).await);
    let (one, other) = (ResponseId::new(), ResponseId::new());
    let ada_key = vault.user_key(ada).await.unwrap();
    let sealed = ada_key.response_key(one).seal(CiphertextContext::Content, b"hello").unwrap();
    let of_bob = vault.user_key(bob).await.unwrap().response_key(one);
    for wrong in [ada_key.response_key(other), of_bob] {
        assert!(matches!(wrong.open(CiphertextContext::Content, &sealed), Err(Error::Tampered)));
    }
    assert_eq!(ada_key.response_key(one).open(CiphertextContext::Content, &sealed).unwrap(), b"hello");
}

#[test]
fn every_changed_bit_and_every_cut_is_detected() {
    let key = key();
    let sealed = key.seal(CiphertextContext::Content, b"hello").unwrap();
    for at in 0..sealed.len() * 8 {
        let mut changed = sealed.to_vec();
        changed[at / 8] ^= 1 << (at % 8);
        let opened = key.open(CiphertextContext::Content, &changed);
        assert!(matches!(opened, Err(Error::Tampered | Error::UnknownKeyVersion(_))), "bit {at}");
    }
    for end in 0..sealed.len() {
        assert!(matches!(key.open(CiphertextContext::Content, &sealed[..end]), Err(Error::Tampered)), "cut at {end}");
    }
}

#[test]
fn a_payload_above_the_bound_is_neither_sealed_nor_opened() {
    let key = key();
    let too_large = vec![1; MAX_PLAINTEXT + 64];
    assert!(matches!(key.seal(CiphertextContext::Content, &too_large), Err(Error::TooLarge { .. })));
    assert!(matches!(key.open(CiphertextContext::Content, &too_large), Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn a_deleted_user_has_no_key_in_memory_or_in_the_database() {
    use crate::store::AccountStore as _;
    let (vault, accounts) = vault(KeyRing::generate().unwrap());
    let user = add_user(&vault, &accounts).await;
    vault.user_key(user).await.unwrap();
    accounts.delete_user(user, crate::domain::Timestamp::from_micros(0)).await.unwrap();
    vault.evict(user);
    assert!(matches!(vault.user_key(user).await, Err(Error::NoDataKey(_))));
}

#[tokio::test(start_paused = true)]
async fn a_user_deleted_by_another_process_is_forgotten_after_a_minute() {
    use crate::store::AccountStore as _;
    let (vault, accounts) = vault(KeyRing::generate().unwrap());
    let user = add_user(&vault, &accounts).await;
    vault.user_key(user).await.unwrap();
    accounts.delete_user(user, crate::domain::Timestamp::from_micros(0)).await.unwrap();
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    assert!(matches!(vault.user_key(user).await, Err(Error::NoDataKey(_))));
}

#[test]
fn the_keys_in_memory_are_bounded_and_those_in_use_stay() {
    let mut cache = crate::vault::cache::Cache::default();
    let in_use = UserId::new();
    let secret = SecretKey::generate().unwrap();
    cache.insert(in_use, UserKey::new(in_use, secret.clone()));
    for _ in 0..30_000 {
        let user = UserId::new();
        cache.insert(user, UserKey::new(user, secret.clone()));
        assert!(cache.get(in_use).is_some());
    }
    assert!(cache.len() <= 10_001, "{}", cache.len());
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_never_repeats(plaintext: Vec<u8>, place in 0..PLACES.len()) {
        let key = key();
        let sealed = key.seal(PLACES[place], &plaintext).unwrap();
        prop_assert_eq!(&key.open(PLACES[place], &sealed).unwrap(), &plaintext);
        prop_assert_ne!(key.seal(PLACES[place], &plaintext).unwrap(), sealed);
    }
}

#[test]
fn an_items_id_is_stored_as_it_is_only_where_it_can_be_no_text() {
    let (key, another) = (key(), key());
    for plain in ["msg_1", "fc_3802c8a027f25e6da51d097273a185d1", "toolu-01A", &"x".repeat(64)] {
        assert_eq!(key.stored_item_id(&plain.to_owned().into()).as_str(), plain);
    }
    for text in ["my secret", "ünder", "a/b", &"x".repeat(65)] {
        let id = text.to_owned().into();
        let stored = key.stored_item_id(&id);
        assert!(stored.as_str().starts_with("digest_") && stored.as_str().len() == 71, "{stored}");
        assert_eq!(key.stored_item_id(&id), stored, "it is found again");
        assert_ne!(another.stored_item_id(&id), stored, "by who has the key");
    }
}
