//! Users and their API keys, as the command line and embedders manage them.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{ApiKey, api_key};
use crate::domain::Timestamp;
use crate::protocol::UserId;
use crate::store::{AccountError, AccountStore, ApiKeyRecord, UserRecord};
use crate::vault::{self, Vault};

/// How long a deletion waits for nodes to end what the user runs.
const DELETION_PATIENCE: Duration = Duration::from_secs(30);

/// How often it looks.
const DELETION_PAUSE: Duration = Duration::from_millis(200);

/// Adds, finds and removes users and API keys.
#[derive(Debug, Clone)]
pub struct AccountService {
    accounts: Arc<dyn AccountStore>,
    vault: Vault,
}

/// Why users or keys could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The name is empty, too long, or holds characters that do not print.
    #[error("a name has 1 to 64 printable characters")]
    InvalidName,
    /// No data key could be made for the user.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// The accounts could not be changed.
    #[error(transparent)]
    Accounts(#[from] AccountError),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
}

impl AccountService {
    /// A service over these accounts. The vault wraps the data keys of new users.
    #[must_use]
    pub fn new(accounts: Arc<dyn AccountStore>, vault: Vault) -> Self {
        Self { accounts, vault }
    }

    /// Adds a user with a fresh data key.
    ///
    /// # Errors
    /// [`ServiceError::InvalidName`], [`AccountError::NameTaken`], [`ServiceError::Vault`].
    pub async fn create_user(&self, name: &str, at: Timestamp) -> Result<UserRecord, ServiceError> {
        let user = UserRecord { id: UserId::new(), name: valid_name(name)?, created_at: at, deleted_at: None };
        let data_key = self.vault.new_user_key(user.id)?;
        self.accounts.create_user(user.clone(), data_key).await?;
        Ok(user)
    }

    /// The user of that name or id.
    ///
    /// # Errors
    /// [`AccountError::UnknownUser`].
    pub async fn find_user(&self, name_or_id: &str) -> Result<UserRecord, ServiceError> {
        let mut found = self.accounts.user_by_name(name_or_id).await?;
        if let (None, Ok(id)) = (&found, name_or_id.parse::<UserId>()) {
            found = self.accounts.users().await?.into_iter().find(|user| user.id == id);
        }
        Ok(found.ok_or(AccountError::UnknownUser)?)
    }

    /// The user of that name, who is added if there is none.
    ///
    /// # Errors
    /// Those of [`create_user`](Self::create_user); [`AccountError::NameTaken`] only while a user of that name is being
    /// deleted.
    pub async fn ensure_user(&self, name: &str, at: Timestamp) -> Result<UserRecord, ServiceError> {
        match self.found_or_created(name, at).await {
            // Another process has added the user in the meantime.
            Err(ServiceError::Accounts(AccountError::NameTaken)) => self.found_or_created(name, at).await,
            ensured => ensured,
        }
    }

    async fn found_or_created(&self, name: &str, at: Timestamp) -> Result<UserRecord, ServiceError> {
        match self.accounts.user_by_name(name).await? {
            Some(user) if user.deleted_at.is_some() => Err(AccountError::NameTaken.into()),
            Some(user) => Ok(user),
            None => self.create_user(name, at).await,
        }
    }

    /// Deletes a user with everything that belongs to the user but its usage records. False if there is no such user.
    ///
    /// From the beginning the user's keys are refused and no response of the user is accepted. What the user still runs
    /// is cancelled by the nodes that run it, which takes a second or two; this waits for it for half a minute, longer than
    /// a node that is gone keeps its lease by default, and calls `waits_for` with how many are left whenever that has
    /// changed. Where the future is dropped, or this fails, a server finishes the deletion a minute after its beginning.
    ///
    /// # Errors
    /// [`ServiceError::Accounts`].
    pub async fn delete_user(
        &self,
        user: UserId,
        at: Timestamp,
        mut waits_for: impl FnMut(u64),
    ) -> Result<bool, ServiceError> {
        if !self.accounts.mark_user_deleted(user, at).await? {
            return Ok(false);
        }
        let deadline = Instant::now() + DELETION_PATIENCE;
        let mut left = 0;
        loop {
            let live = self.accounts.responses_to_end(user).await?;
            if live == 0 || Instant::now() >= deadline {
                break;
            }
            if live != left {
                waits_for(live);
            }
            left = live;
            tokio::time::sleep(DELETION_PAUSE).await;
        }
        // If it is not there any more, a server has finished the same deletion.
        self.accounts.delete_user(user, at).await?;
        self.vault.evict(user);
        Ok(true)
    }

    /// Makes an API key of a user. It can't be shown again.
    ///
    /// # Errors
    /// [`ServiceError::InvalidName`], [`ServiceError::Randomness`], [`ServiceError::Accounts`].
    pub async fn create_key(&self, user: UserId, name: &str, at: Timestamp) -> Result<ApiKey, ServiceError> {
        let name = valid_name(name)?;
        let key = ApiKey::generate().ok_or(ServiceError::Randomness)?;
        let (id, secret) = api_key::split(key.expose()).ok_or(ServiceError::Randomness)?;
        let hash = self.vault.pepper().hash(secret.as_bytes());
        let record = ApiKeyRecord { id: id.to_owned(), user, name, hash, created_at: at, revoked_at: None };
        self.accounts.create_api_key(record).await?;
        Ok(key)
    }

    /// Revokes an API key by its public id; it is refused from the next request on. False if there is no
    /// such key.
    ///
    /// # Errors
    /// [`ServiceError::Accounts`].
    pub async fn revoke_key(&self, id: &str, at: Timestamp) -> Result<bool, ServiceError> {
        Ok(self.accounts.revoke_api_key(id, at).await?)
    }
}

fn valid_name(name: &str) -> Result<String, ServiceError> {
    let printable = !name.chars().any(char::is_control);
    if printable && (1..=64).contains(&name.chars().count()) {
        Ok(name.to_owned())
    } else {
        Err(ServiceError::InvalidName)
    }
}
