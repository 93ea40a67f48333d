//! Accounts in memory, for tests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Accounts, ApiKeyRecord, Error, UserRecord, WrappedKey};
use crate::domain::Timestamp;
use crate::protocol::UserId;
use crate::store;

/// Accounts in memory, with a switch that makes every call fail.
#[derive(Debug, Default)]
pub(crate) struct FakeAccounts {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    users: BTreeMap<UserId, UserRecord>,
    data_keys: BTreeMap<UserId, WrappedKey>,
    api_keys: BTreeMap<String, ApiKeyRecord>,
    away: bool,
}

impl FakeAccounts {
    pub(crate) fn go_away(&self) {
        self.tables.lock().away = true;
    }

    fn with<T>(&self, work: impl FnOnce(&mut Tables) -> T) -> Result<T, Error> {
        let mut tables = self.tables.lock();
        if tables.away {
            return Err(Error::Store(store::Error::Unavailable("away".into())));
        }
        Ok(work(&mut tables))
    }
}

#[async_trait]
impl Accounts for FakeAccounts {
    async fn create_user(&self, user: UserRecord, data_key: WrappedKey) -> Result<(), Error> {
        self.with(|tables| {
            if tables.users.values().any(|other| other.name == user.name) {
                return Err(Error::NameTaken);
            }
            tables.data_keys.insert(user.id, data_key);
            tables.users.insert(user.id, user);
            Ok(())
        })?
    }

    async fn users(&self) -> Result<Vec<UserRecord>, Error> {
        let mut users = self.with(|tables| tables.users.values().cloned().collect::<Vec<_>>())?;
        users.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(users)
    }

    async fn delete_user(&self, user: UserId) -> Result<bool, Error> {
        self.with(|tables| {
            tables.data_keys.remove(&user);
            tables.api_keys.retain(|_, key| key.user != user);
            tables.users.remove(&user).is_some()
        })
    }

    async fn create_api_key(&self, key: ApiKeyRecord) -> Result<(), Error> {
        self.with(|tables| {
            if !tables.users.contains_key(&key.user) {
                return Err(Error::UnknownUser);
            }
            tables.api_keys.insert(key.id.clone(), key);
            Ok(())
        })?
    }

    async fn api_key(&self, id: &str) -> Result<Option<ApiKeyRecord>, Error> {
        self.with(|tables| tables.api_keys.get(id).cloned())
    }

    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, Error> {
        let mut keys = self.with(|tables| tables.api_keys.values().cloned().collect::<Vec<_>>())?;
        keys.sort_by_key(|key| key.created_at);
        Ok(keys)
    }

    async fn revoke_api_key(&self, id: &str, at: Timestamp) -> Result<bool, Error> {
        self.with(|tables| match tables.api_keys.get_mut(id) {
            Some(key) => {
                key.revoked_at.get_or_insert(at);
                true
            }
            None => false,
        })
    }

    async fn data_key(&self, user: UserId) -> Result<Option<WrappedKey>, Error> {
        self.with(|tables| tables.data_keys.get(&user).cloned())
    }

    async fn data_keys(&self) -> Result<Vec<(UserId, WrappedKey)>, Error> {
        self.with(|tables| tables.data_keys.iter().map(|(user, key)| (*user, key.clone())).collect())
    }

    async fn rewrap_data_key(&self, user: UserId, old: &WrappedKey, new: WrappedKey) -> Result<bool, Error> {
        self.with(|tables| match tables.data_keys.get_mut(&user) {
            Some(key) if key == old => {
                *key = new;
                true
            }
            Some(_) | None => false,
        })
    }
}
