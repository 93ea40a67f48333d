//! Users, API keys and data keys in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::{MemoryStore, store::MemoryTables};
use crate::{AccountError, AccountStore, ApiKeyRecord, Error, UsageRecord, UserRecord, WrappedKey};
use antiphon_domain::Timestamp;
use antiphon_protocol::{Status, UserId};

#[derive(Default)]
pub(super) struct AccountTables {
    users: BTreeMap<String, UserRecord>,
    data_keys: BTreeMap<UserId, WrappedKey>,
    api_keys: HashMap<String, ApiKeyRecord>,
}

impl AccountTables {
    /// Whether the user exists and is not being deleted.
    pub(super) fn has_user(&self, user: UserId) -> bool {
        self.users.values().any(|record| record.id == user && record.deleted_at.is_none())
    }
}

#[async_trait]
impl AccountStore for MemoryStore {
    async fn create_user(&self, user: UserRecord, data_key: WrappedKey) -> Result<(), AccountError> {
        let accounts = &mut self.tables().accounts;
        if accounts.users.contains_key(&user.name) {
            return Err(AccountError::NameTaken);
        }
        if accounts.data_keys.contains_key(&user.id) {
            return Err(id_taken());
        }
        accounts.data_keys.insert(user.id, data_key);
        accounts.users.insert(user.name.clone(), user);
        Ok(())
    }

    async fn users(&self) -> Result<Vec<UserRecord>, AccountError> {
        Ok(self.tables().accounts.users.values().cloned().collect())
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>, AccountError> {
        Ok(self.tables().accounts.users.get(name).cloned())
    }

    async fn mark_user_deleted(&self, user: UserId, at: Timestamp) -> Result<bool, AccountError> {
        let accounts = &mut self.tables().accounts;
        let Some(record) = accounts.users.values_mut().find(|record| record.id == user) else { return Ok(false) };
        record.deleted_at.get_or_insert(at);
        for key in accounts.api_keys.values_mut().filter(|key| key.user == user) {
            key.revoked_at.get_or_insert(at);
        }
        Ok(true)
    }

    async fn responses_to_end(&self, user: UserId) -> Result<u64, AccountError> {
        let tables = self.tables();
        if !tables.nodes.any_has_lease(self.now()) {
            return Ok(0);
        }
        let live = tables.responses.live().filter(|response| response.row.user == user && response.set_aside.is_none());
        Ok(live.count() as u64)
    }

    async fn delete_user(&self, user: UserId, at: Timestamp) -> Result<bool, AccountError> {
        let mut tables = self.tables();
        let MemoryTables { responses, usage_records, .. } = &mut *tables;
        let running = responses.live().map(|response| &response.row);
        let running = running.filter(|row| row.user == user && row.status == Status::InProgress);
        running.for_each(|row| usage_records.add(&UsageRecord::of_deleted(row, at)));
        tables.responses.delete_of_user(user);
        tables.idempotency_keys.delete_of_user(user);
        tables.accounts.api_keys.retain(|_, key| key.user != user);
        tables.accounts.users.retain(|_, other| other.id != user);
        Ok(tables.accounts.data_keys.remove(&user).is_some())
    }

    async fn users_deleted_before(&self, time: Timestamp) -> Result<Vec<UserId>, AccountError> {
        let tables = self.tables();
        let marked = tables.accounts.users.values().filter(|user| user.deleted_at.is_some_and(|at| at < time));
        Ok(marked.map(|user| user.id).collect())
    }

    async fn create_api_key(&self, key: ApiKeyRecord) -> Result<(), AccountError> {
        let accounts = &mut self.tables().accounts;
        if !accounts.has_user(key.user) {
            return Err(AccountError::UnknownUser);
        }
        if accounts.api_keys.contains_key(&key.id) {
            return Err(id_taken());
        }
        accounts.api_keys.insert(key.id.clone(), key);
        Ok(())
    }

    async fn api_key(&self, id: &str) -> Result<Option<ApiKeyRecord>, AccountError> {
        Ok(self.tables().accounts.api_keys.get(id).cloned())
    }

    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, AccountError> {
        let mut keys: Vec<ApiKeyRecord> = self.tables().accounts.api_keys.values().cloned().collect();
        keys.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(keys)
    }

    async fn revoke_api_key(&self, id: &str, at: Timestamp) -> Result<bool, AccountError> {
        let key = &mut self.tables().accounts.api_keys;
        let Some(key) = key.get_mut(id) else { return Ok(false) };
        key.revoked_at.get_or_insert(at);
        Ok(true)
    }

    async fn data_key(&self, user: UserId) -> Result<Option<WrappedKey>, AccountError> {
        Ok(self.tables().accounts.data_keys.get(&user).cloned())
    }

    async fn data_keys(&self) -> Result<Vec<(UserId, WrappedKey)>, AccountError> {
        Ok(self.tables().accounts.data_keys.iter().map(|(user, key)| (*user, key.clone())).collect())
    }

    async fn rewrap_data_key(&self, user: UserId, old: &WrappedKey, new: WrappedKey) -> Result<bool, AccountError> {
        match self.tables().accounts.data_keys.get_mut(&user) {
            Some(key) if key == old => {
                *key = new;
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }
}

fn id_taken() -> AccountError {
    Error::Failed("the id is taken".into()).into()
}
