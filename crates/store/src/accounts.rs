//! Accounts: users, their API keys and their data keys.

use async_trait::async_trait;
use bytes::Bytes;

use super::Error;
use antiphon_domain::Timestamp;
use antiphon_protocol::UserId;

/// Users, their API keys and their data keys.
#[async_trait]
pub trait AccountStore: std::fmt::Debug + Send + Sync + 'static {
    /// Adds a user with its wrapped data key, in one transaction.
    async fn create_user(&self, user: UserRecord, data_key: WrappedKey) -> Result<(), AccountError>;

    /// All users, by name.
    async fn users(&self) -> Result<Vec<UserRecord>, AccountError>;

    /// The user of exactly that name.
    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>, AccountError>;

    /// Marks a user as one that is being deleted: its API keys are revoked, and it gets no new keys or responses from
    /// then on. A user that was marked before keeps its time. False if there is no such user.
    async fn mark_user_deleted(&self, user: UserId, at: Timestamp) -> Result<bool, AccountError>;

    /// How many responses of a user have not ended and are not set aside, if there is a node with a lease, which can end
    /// them; else 0.
    async fn responses_to_end(&self, user: UserId) -> Result<u64, AccountError>;

    /// Deletes a user, its API keys, its data key, its idempotency keys, and all its responses with their items and
    /// logs. Without the data key none of the user's content can be read again, not even from a backup.
    /// False if there is no such user. Usage records stay; each response that has begun and not ended gets one, as of
    /// `at`, that estimates its prompt alone.
    ///
    /// The user is marked as [`mark_user_deleted`](Self::mark_user_deleted) does. The keys go first and the user last, in
    /// steps that stay done: after an error this is called again, and goes on where it was.
    async fn delete_user(&self, user: UserId, at: Timestamp) -> Result<bool, AccountError>;

    /// The users who were marked as being deleted before that time.
    async fn users_deleted_before(&self, time: Timestamp) -> Result<Vec<UserId>, AccountError>;

    /// Adds an API key. A user that is being deleted is [`AccountError::UnknownUser`].
    async fn create_api_key(&self, key: ApiKeyRecord) -> Result<(), AccountError>;

    /// The API key of that public id, also if it was revoked.
    async fn api_key(&self, id: &str) -> Result<Option<ApiKeyRecord>, AccountError>;

    /// All API keys, oldest first, also those that were revoked.
    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, AccountError>;

    /// Revokes an API key; a key that was revoked before keeps its time. False if there is no such key.
    async fn revoke_api_key(&self, id: &str, at: Timestamp) -> Result<bool, AccountError>;

    /// A user's wrapped data key.
    async fn data_key(&self, user: UserId) -> Result<Option<WrappedKey>, AccountError>;

    /// All wrapped data keys.
    async fn data_keys(&self) -> Result<Vec<(UserId, WrappedKey)>, AccountError>;

    /// Replaces a user's wrapped data key if it is still `old`; returns whether it was.
    async fn rewrap_data_key(&self, user: UserId, old: &WrappedKey, new: WrappedKey) -> Result<bool, AccountError>;
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The user's id.
    pub id: UserId,
    /// The user's name, unique.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// Since when it is being deleted.
    pub deleted_at: Option<Timestamp>,
}

/// An API key as it is stored: its secret part only as a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// The public part of the key.
    pub id: String,
    /// The user whose key it is.
    pub user: UserId,
    /// The key's name.
    pub name: String,
    /// HMAC-SHA-256 of the secret part.
    pub hash: Bytes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A user's data key, encrypted by a key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The version of the key-encryption key.
    pub key_version: u32,
    /// The ciphertext.
    pub bytes: Bytes,
}

/// Why accounts could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Another user has the name.
    #[error("there is a user of that name already")]
    NameTaken,
    /// There is no such user.
    #[error("there is no such user")]
    UnknownUser,
    /// The database could not answer.
    #[error(transparent)]
    Store(#[from] Error),
}
