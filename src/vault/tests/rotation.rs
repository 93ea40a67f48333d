use std::sync::Arc;

use super::add_user;
use crate::protocol::ResponseId;
use crate::store::AccountStore as _;
use crate::store::MemoryStore;
use crate::vault::{CiphertextContext, Error, KeyRing, KeySource, Vault};

struct TwoProcesses {
    dir: tempfile::TempDir,
    accounts: Arc<MemoryStore>,
    serving: Vault,
    command: Vault,
}

fn two_processes() -> TwoProcesses {
    let dir = tempfile::tempdir().unwrap();
    let accounts = Arc::new(MemoryStore::default());
    let open =
        || Vault::new(KeyRing::open_or_create(&dir.path().join("keys.json")).unwrap(), Arc::clone(&accounts) as _);
    let (serving, command) = (open(), open());
    TwoProcesses { dir, accounts, serving, command }
}

#[tokio::test]
async fn a_rotation_by_another_process_needs_no_restart() {
    let two = two_processes();
    let user = add_user(&two.serving, &two.accounts).await;
    let id = ResponseId::new();
    let sealed =
        two.serving.user_key(user).await.unwrap().response_key(id).seal(CiphertextContext::Content, b"hello").unwrap();

    let report = two.command.rotate().await.unwrap();
    assert_eq!((report.key_version, report.rewrapped, report.data_keys), (2, 1, 1));
    assert_eq!(two.accounts.data_key(user).await.unwrap().unwrap().key_version, 2);

    two.serving.evict(user);
    let key = two.serving.user_key(user).await.unwrap().response_key(id);
    assert_eq!(key.open(CiphertextContext::Content, &sealed).unwrap(), b"hello");
    assert_eq!(two.serving.new_user_key(user).unwrap().key_version, 2);
}

#[tokio::test]
async fn rotation_keeps_the_pepper_and_the_older_keys() {
    let two = two_processes();
    let hash = two.serving.pepper().hash(b"secret");
    let old = add_user(&two.serving, &two.accounts).await;
    let wrapped = two.accounts.data_key(old).await.unwrap().unwrap();
    two.command.rotate().await.unwrap();
    two.command.rotate().await.unwrap();
    let reopened = KeyRing::open(KeySource::File(two.dir.path().join("keys.json"))).unwrap();
    assert_eq!(reopened.current_version(), 3);
    let vault = Vault::new(reopened, Arc::clone(&two.accounts) as _);
    assert!(vault.pepper().verify(b"secret", &hash));
    vault.unwrap_key(old, &wrapped).await.unwrap();
}

#[tokio::test]
async fn rotations_at_once_lose_no_key() {
    let two = two_processes();
    for _ in 0..5 {
        add_user(&two.serving, &two.accounts).await;
    }
    let (one, other) = tokio::join!(two.command.rotate(), two.serving.rotate());
    one.and(other).unwrap();
    let ring = KeyRing::open(KeySource::File(two.dir.path().join("keys.json"))).unwrap();
    assert_eq!(ring.current_version(), 3);
    let vault = Vault::new(ring, Arc::clone(&two.accounts) as _);
    for (user, _) in two.accounts.data_keys().await.unwrap() {
        vault.user_key(user).await.unwrap();
    }
}

#[tokio::test]
async fn a_ring_in_memory_rotates_too() {
    let (vault, accounts) = super::vault(KeyRing::generate().unwrap());
    add_user(&vault, &accounts).await;
    assert_eq!(vault.rotate().await.unwrap().key_version, 2);
    vault.check().await.unwrap();
}

#[tokio::test]
async fn a_ring_that_does_not_belong_to_the_database_is_found_out() {
    let two = two_processes();
    add_user(&two.serving, &two.accounts).await;
    let foreign = Vault::new(KeyRing::generate().unwrap(), Arc::clone(&two.accounts) as _);
    assert!(matches!(foreign.check().await, Err(Error::Tampered)));
    two.serving.check().await.unwrap();
}

#[tokio::test]
async fn a_wrapped_key_of_another_user_does_not_open() {
    let two = two_processes();
    let (ada, bob) = (add_user(&two.serving, &two.accounts).await, add_user(&two.serving, &two.accounts).await);
    let of_ada = two.accounts.data_key(ada).await.unwrap().unwrap();
    let of_bob = two.accounts.data_key(bob).await.unwrap().unwrap();
    assert!(two.accounts.rewrap_data_key(ada, &of_ada, of_bob).await.unwrap());
    assert!(matches!(two.serving.user_key(ada).await, Err(Error::Tampered)));
}
