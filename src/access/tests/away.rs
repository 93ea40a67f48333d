//! Accounts whose database is unavailable, and accounts to which another process adds users.

use std::collections::VecDeque;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::domain::Timestamp;
use crate::protocol::UserId;
use crate::store::{self, AccountError, AccountStore, ApiKeyRecord, UserRecord, WrappedKey};

/// Accounts that answer no call, except as [`racing`](Self::racing) says.
#[derive(Debug, Default)]
pub(super) struct Away {
    race: Option<Mutex<VecDeque<Option<UserRecord>>>>,
}

impl Away {
    /// Accounts whose lookups by name find the entries of the list, one after the other. Every name that is to be
    /// added is taken; all other calls are unavailable.
    pub(super) fn racing(found: impl IntoIterator<Item = Option<UserRecord>>) -> Self {
        Self { race: Some(Mutex::new(found.into_iter().collect())) }
    }
}

fn away<T>() -> Result<T, AccountError> {
    Err(AccountError::Store(store::Error::Unavailable("away".into())))
}

#[async_trait]
impl AccountStore for Away {
    async fn create_user(&self, _: UserRecord, _: WrappedKey) -> Result<(), AccountError> {
        if self.race.is_some() { Err(AccountError::NameTaken) } else { away() }
    }

    async fn user_by_name(&self, _: &str) -> Result<Option<UserRecord>, AccountError> {
        self.race.as_ref().and_then(|found| found.lock().pop_front()).map_or_else(away, Ok)
    }

    async fn users(&self) -> Result<Vec<UserRecord>, AccountError> {
        away()
    }

    async fn mark_user_deleted(&self, _: UserId, _: Timestamp) -> Result<bool, AccountError> {
        away()
    }

    async fn responses_to_end(&self, _: UserId) -> Result<u64, AccountError> {
        away()
    }

    async fn delete_user(&self, _: UserId, _: Timestamp) -> Result<bool, AccountError> {
        away()
    }

    async fn users_deleted_before(&self, _: Timestamp) -> Result<Vec<UserId>, AccountError> {
        away()
    }

    async fn create_api_key(&self, _: ApiKeyRecord) -> Result<(), AccountError> {
        away()
    }

    async fn api_key(&self, _: &str) -> Result<Option<ApiKeyRecord>, AccountError> {
        away()
    }

    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, AccountError> {
        away()
    }

    async fn revoke_api_key(&self, _: &str, _: Timestamp) -> Result<bool, AccountError> {
        away()
    }

    async fn data_key(&self, _: UserId) -> Result<Option<WrappedKey>, AccountError> {
        away()
    }

    async fn data_keys(&self) -> Result<Vec<(UserId, WrappedKey)>, AccountError> {
        away()
    }

    async fn rewrap_data_key(&self, _: UserId, _: &WrappedKey, _: WrappedKey) -> Result<bool, AccountError> {
        away()
    }
}
