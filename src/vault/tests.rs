//! The vault's guarantees: a ciphertext that was moved or changed does not open, and keys can be rotated in service.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod content;
mod ring;
mod rotation;

use std::sync::Arc;

use super::{KeyRing, Vault};
use crate::domain::Timestamp;
use crate::protocol::UserId;
use crate::store::{AccountStore as _, MemoryStore, UserRecord};

fn vault(ring: KeyRing) -> (Vault, Arc<MemoryStore>) {
    let accounts = Arc::new(MemoryStore::default());
    (Vault::new(ring, Arc::clone(&accounts) as _), accounts)
}

async fn add_user(vault: &Vault, accounts: &MemoryStore) -> UserId {
    let user = UserId::new();
    let record =
        UserRecord { id: user, name: user.to_string(), created_at: Timestamp::from_micros(0), deleted_at: None };
    accounts.create_user(record, vault.new_user_key(user).unwrap()).await.unwrap();
    user
}
