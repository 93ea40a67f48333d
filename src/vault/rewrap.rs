//! Rotation: a new key-encryption key, and every data key wrapped anew, while responses run.

use super::unlock::blocking;
use super::{Error, KeySource, Vault};
use crate::protocol::UserId;
use crate::store::WrappedKey;

/// How many times all data keys are checked: users who are added, or whose keys are wrapped, by another process in the
/// meantime are found the next time.
const PASSES: u32 = 3;

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrapped {
    /// The version that is current now.
    pub key_version: u32,
    /// How many data keys were wrapped anew.
    pub rewrapped: usize,
    /// How many data keys there are.
    pub data_keys: usize,
}

impl Vault {
    /// Adds a new current key to the ring and wraps all data keys with it. Older keys stay in the ring, so
    /// that backups of the database can be read.
    ///
    /// A ring that comes from the environment or a command can't be written: add the new key there first;
    /// this then wraps all data keys with what is current there.
    ///
    /// # Errors
    /// Those of [`rewrap_all`](Self::rewrap_all).
    pub async fn rotate(&self) -> Result<Rewrapped, Error> {
        let source = self.0.ring.read().source().cloned();
        match source {
            Some(KeySource::File(path)) => {
                let ring = blocking(move || super::source::rotate_file(&path)).await?;
                *self.0.ring.write() = ring;
            }
            Some(KeySource::Variable(_) | KeySource::Command(_)) => self.reload().await?,
            None => {
                let ring = self.0.ring.read().with_next_version()?;
                *self.0.ring.write() = ring;
            }
        }
        self.rewrap_all().await
    }

    /// Wraps every data key with the ring's current key, each by compare-and-set. Safe to repeat, and to
    /// run while others run: what was interrupted is finished by the next call.
    ///
    /// # Errors
    /// [`Error::Ring`], [`Error::Accounts`], and what keeps a data key from being unwrapped.
    pub async fn rewrap_all(&self) -> Result<Rewrapped, Error> {
        let mut report = Rewrapped { key_version: 0, rewrapped: 0, data_keys: 0 };
        for _ in 0..PASSES {
            report.key_version = self.0.ring.read().current_version();
            let mut keys = self.0.accounts.data_keys().await?;
            report.data_keys = keys.len();
            keys.retain(|(_, wrapped)| wrapped.key_version != report.key_version);
            if keys.is_empty() {
                break;
            }
            for (user, wrapped) in keys {
                report.rewrapped += usize::from(self.rewrap(user, &wrapped).await?);
            }
        }
        Ok(report)
    }

    /// Wraps one data key anew. False if another process was faster or the user was deleted.
    async fn rewrap(&self, user: UserId, old: &WrappedKey) -> Result<bool, Error> {
        let secret = self.unwrap_key(user, old).await?;
        let new = self.wrap_key(user, &secret)?;
        Ok(self.0.accounts.rewrap_data_key(user, old, new).await?)
    }
}
