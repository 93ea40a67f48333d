//! The accounts part of the port.

use std::sync::Arc;

use async_trait::async_trait;

use super::{api_keys, data_keys, users};
use crate::{SqlStore, connect::Pools};
use antiphon_domain::Timestamp;
use antiphon_protocol::UserId;
use antiphon_store::{AccountError, AccountStore, ApiKeyRecord, Error, UserRecord, WrappedKey};

impl SqlStore {
    /// Deletes a user's responses in steps, of as many as there is room to delete at once.
    async fn delete_responses_of_user(&self, user: UserId, at: Timestamp) -> Result<(), Error> {
        let mut limit = users::BATCH;
        loop {
            let delete =
                move |pools: Arc<Pools>| async move { users::delete_some_responses(&pools, user, at, limit).await };
            match self.call_in_reserve("delete_responses_of_user", delete).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(Error::Full(_)) if limit > 1 => limit /= 2,
                Err(error) => return Err(error),
            }
        }
    }
}

#[async_trait]
impl AccountStore for SqlStore {
    async fn create_user(&self, user: UserRecord, data_key: WrappedKey) -> Result<(), AccountError> {
        let created =
            self.call("create_user", |pools| async move { users::create(&pools, user, data_key).await }).await?;
        if created { Ok(()) } else { Err(AccountError::NameTaken) }
    }

    async fn users(&self) -> Result<Vec<UserRecord>, AccountError> {
        Ok(self.call("users", |pools| async move { users::all(&pools.read).await }).await?)
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>, AccountError> {
        let name = name.to_owned();
        Ok(self.call("user_by_name", |pools| async move { users::by_name(&pools.read, name).await }).await?)
    }

    async fn mark_user_deleted(&self, user: UserId, at: Timestamp) -> Result<bool, AccountError> {
        let mark = move |pools: Arc<Pools>| async move { users::mark_deleted(&pools, user, at).await };
        Ok(self.call_in_reserve("mark_user_deleted", mark).await?)
    }

    async fn responses_to_end(&self, user: UserId) -> Result<u64, AccountError> {
        let count = move |pools: Arc<Pools>| async move { users::responses_to_end(&pools.read, user).await };
        Ok(self.call("responses_to_end", count).await?)
    }

    async fn delete_user(&self, user: UserId, at: Timestamp) -> Result<bool, AccountError> {
        // Calls and transactions of their own: each is short, and what one has deleted is gone whatever becomes of the rest.
        let shred = move |pools: Arc<Pools>| async move { users::shred(&pools, user, at).await };
        if !self.call_in_reserve("shred_user", shred).await? {
            return Ok(false);
        }
        self.delete_responses_of_user(user, at).await?;
        let keys = move |pools: Arc<Pools>| async move { users::delete_some_keys(&pools, user).await };
        while self.call_in_reserve("delete_idempotency_keys_of_user", keys).await? {}
        self.call_in_reserve("delete_user", move |pools| async move { users::delete_row(&pools, user).await }).await?;
        Ok(true)
    }

    async fn users_deleted_before(&self, time: Timestamp) -> Result<Vec<UserId>, AccountError> {
        let find = move |pools: Arc<Pools>| async move { users::deleted_before(&pools.read, time).await };
        Ok(self.call("users_deleted_before", find).await?)
    }

    async fn create_api_key(&self, key: ApiKeyRecord) -> Result<(), AccountError> {
        let created = self.call("create_api_key", |pools| async move { api_keys::create(&pools, key).await }).await?;
        if created { Ok(()) } else { Err(AccountError::UnknownUser) }
    }

    async fn api_key(&self, id: &str) -> Result<Option<ApiKeyRecord>, AccountError> {
        let id = id.to_owned();
        Ok(self.call("api_key", |pools| async move { api_keys::find(&pools.read, id).await }).await?)
    }

    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, AccountError> {
        Ok(self.call("api_keys", |pools| async move { api_keys::all(&pools.read).await }).await?)
    }

    async fn revoke_api_key(&self, id: &str, at: Timestamp) -> Result<bool, AccountError> {
        let id = id.to_owned();
        Ok(self
            .call("revoke_api_key", move |pools| async move { api_keys::revoke(&pools.write, id, at).await })
            .await?)
    }

    async fn data_key(&self, user: UserId) -> Result<Option<WrappedKey>, AccountError> {
        Ok(self.call("data_key", move |pools| async move { data_keys::find(&pools.read, user).await }).await?)
    }

    async fn data_keys(&self) -> Result<Vec<(UserId, WrappedKey)>, AccountError> {
        Ok(self.call("data_keys", |pools| async move { data_keys::all(&pools.read).await }).await?)
    }

    async fn rewrap_data_key(&self, user: UserId, old: &WrappedKey, new: WrappedKey) -> Result<bool, AccountError> {
        let old = old.clone();
        let rewrap = self.call("rewrap_data_key", move |pools| async move {
            data_keys::replace(&pools.write, user, &old, new).await
        });
        Ok(rewrap.await?)
    }
}
