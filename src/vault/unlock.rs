//! The vault: from a user to the user's keys.

use std::{fmt, sync::Arc};

use parking_lot::{Mutex, RwLock};

use super::cache::Cache;
use super::cipher::version_of;
use super::key::SecretKey;
use super::{Error, KeyRing, Pepper, RingError, UserKey};
use crate::protocol::UserId;
use crate::store::{AccountStore, WrappedKey};

/// How many data keys are read from the database at the same time.
const READERS: usize = 64;

/// Unwraps users' data keys. Cheap to clone; all clones share the ring and the keys in memory.
#[derive(Clone)]
pub struct Vault(pub(super) Arc<SharedVault>);

pub(super) struct SharedVault {
    pub(super) ring: RwLock<KeyRing>,
    pub(super) accounts: Arc<dyn AccountStore>,
    cache: Mutex<Cache>,
    /// Held while a user's key is read: the requests of a busy user read it once. Users share these by chance.
    reading: [tokio::sync::Mutex<()>; READERS],
    reload: tokio::sync::Mutex<()>,
}

impl Vault {
    /// A vault over a key ring and the data keys that are wrapped by it.
    #[must_use]
    pub fn new(ring: KeyRing, accounts: Arc<dyn AccountStore>) -> Self {
        let (ring, cache) = (RwLock::new(ring), Mutex::new(Cache::default()));
        let reading = std::array::from_fn(|_| tokio::sync::Mutex::new(()));
        Self(Arc::new(SharedVault { ring, accounts, cache, reading, reload: tokio::sync::Mutex::new(()) }))
    }

    /// A user's data key. If it is wrapped by a key that the ring in memory lacks, the ring is read again,
    /// so that a rotation by another process needs no restart of this one.
    ///
    /// # Errors
    /// [`Error::NoDataKey`] if there is no such user, [`Error::UnknownKeyVersion`] if the ring lacks the
    /// key at its source too, [`Error::Tampered`] if the ring is not the one that wrapped it,
    /// [`Error::Ring`], [`Error::Accounts`].
    pub async fn user_key(&self, user: UserId) -> Result<UserKey, Error> {
        if let Some(key) = self.0.cache.lock().get(user) {
            return Ok(key);
        }
        let _reading = self.reading_lock(user).lock().await;
        if let Some(key) = self.0.cache.lock().get(user) {
            return Ok(key);
        }
        let wrapped = self.0.accounts.data_key(user).await?.ok_or(Error::NoDataKey(user))?;
        let key = UserKey::new(user, self.unwrap_key(user, &wrapped).await?);
        self.0.cache.lock().insert(user, key.clone());
        Ok(key)
    }

    fn reading_lock(&self, user: UserId) -> &tokio::sync::Mutex<()> {
        // The last byte of an id is random.
        let place = usize::from(user.uuid().as_bytes()[15]) % READERS;
        &self.0.reading[place]
    }

    /// Makes a data key for a new user, wrapped by the ring's current key.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn new_user_key(&self, user: UserId) -> Result<WrappedKey, Error> {
        self.wrap_key(user, &SecretKey::generate().ok_or(Error::Randomness)?)
    }

    /// Forgets a user's key, after the user was deleted.
    pub fn evict(&self, user: UserId) {
        self.0.cache.lock().remove(user);
    }

    /// The secret that API keys are hashed with.
    #[must_use]
    pub fn pepper(&self) -> Pepper {
        self.0.ring.read().pepper()
    }

    /// Unwraps one data key of the database, if there is any, to see that ring and database belong together.
    ///
    /// # Errors
    /// Those of [`user_key`](Self::user_key).
    pub async fn check(&self) -> Result<(), Error> {
        match self.0.accounts.data_keys().await?.first() {
            Some((user, wrapped)) => self.unwrap_key(*user, wrapped).await.map(drop),
            None => Ok(()),
        }
    }

    /// Wraps a data key with the ring's current key.
    pub(super) fn wrap_key(&self, user: UserId, secret: &SecretKey) -> Result<WrappedKey, Error> {
        let ring = self.0.ring.read();
        let key_version = ring.current_version();
        let cipher = ring.cipher(key_version).ok_or(Error::UnknownKeyVersion(key_version))?;
        let bytes = cipher.seal(&context(user), secret.expose())?;
        Ok(WrappedKey { key_version, bytes })
    }

    pub(super) async fn unwrap_key(&self, user: UserId, wrapped: &WrappedKey) -> Result<SecretKey, Error> {
        // The version beside the ciphertext is a plain column; the one in the ciphertext is authentic.
        let version = version_of(&wrapped.bytes)?;
        if self.0.ring.read().cipher(version).is_none() {
            self.reload_for(version).await?;
        }
        let cipher = self.0.ring.read().cipher(version).ok_or(Error::UnknownKeyVersion(version))?;
        let secret = cipher.open(&context(user), &wrapped.bytes)?;
        SecretKey::from_slice(&secret).ok_or(Error::Tampered)
    }

    /// Reads the ring again unless another task just did.
    async fn reload_for(&self, version: u32) -> Result<(), Error> {
        let _one_at_a_time = self.0.reload.lock().await;
        if self.0.ring.read().cipher(version).is_some() {
            return Ok(());
        }
        self.reload().await
    }

    /// Reads the ring again from its source, off this thread.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        let Some(source) = self.0.ring.read().source().cloned() else { return Ok(()) };
        let ring = blocking(move || KeyRing::open(source)).await?;
        *self.0.ring.write() = ring;
        Ok(())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("ring", &*self.0.ring.read()).finish_non_exhaustive()
    }
}

/// Runs what reads files or commands where it may block.
pub(super) async fn blocking(
    work: impl FnOnce() -> Result<KeyRing, RingError> + Send + 'static,
) -> Result<KeyRing, RingError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| RingError::Interrupted)?
}

/// What a wrapped data key is bound to.
fn context(user: UserId) -> Vec<u8> {
    [user.uuid().as_bytes(), b"data_keys".as_slice()].concat()
}
