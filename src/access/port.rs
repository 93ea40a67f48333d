//! What authentication and the vault need of a database.

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::Timestamp;
use crate::protocol::UserId;
use crate::store;

/// Users, their API keys and their data keys.
#[async_trait]
pub trait Accounts: std::fmt::Debug + Send + Sync + 'static {
    /// Adds a user with its wrapped data key, in one transaction.
    async fn create_user(&self, user: UserRecord, data_key: WrappedKey) -> Result<(), Error>;

    /// All users, by name.
    async fn users(&self) -> Result<Vec<UserRecord>, Error>;

    /// The user of exactly that name.
    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>, Error>;

    /// Deletes a user, its API keys, its data key, and all its responses with their items and logs.
    /// Without the data key nothing of the user's content can be read again, in no backup either.
    /// False if there is no such user. Usage records stay.
    async fn delete_user(&self, user: UserId) -> Result<bool, Error>;

    /// Adds an API key.
    async fn create_api_key(&self, key: ApiKeyRecord) -> Result<(), Error>;

    /// The API key of that public id, revoked ones too.
    async fn api_key(&self, id: &str) -> Result<Option<ApiKeyRecord>, Error>;

    /// All API keys, oldest first, revoked ones too.
    async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, Error>;

    /// Revokes an API key; a key that is revoked already keeps its time. False if there is no such key.
    async fn revoke_api_key(&self, id: &str, at: Timestamp) -> Result<bool, Error>;

    /// A user's wrapped data key.
    async fn data_key(&self, user: UserId) -> Result<Option<WrappedKey>, Error>;

    /// All wrapped data keys.
    async fn data_keys(&self) -> Result<Vec<(UserId, WrappedKey)>, Error>;

    /// Replaces a user's wrapped data key if it is still `old`; says whether it was.
    async fn rewrap_data_key(&self, user: UserId, old: &WrappedKey, new: WrappedKey) -> Result<bool, Error>;
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
}

/// An API key as the database has it: its secret part only as a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// The public part of the key.
    pub id: String,
    /// Whose it is.
    pub user: UserId,
    /// What people call it.
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
pub enum Error {
    /// Another user has the name.
    #[error("there is a user of that name already")]
    NameTaken,
    /// There is no such user.
    #[error("there is no such user")]
    UnknownUser,
    /// The database could not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
}
