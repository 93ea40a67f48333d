//! What a command works on: the database, the vault, the accounts.

use std::sync::Arc;

use anyhow::Context as _;

use super::{DataDir, Obstacle};
use crate::access::{AccountService, Accounts, Error, ServiceError, UserRecord};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::store::SqlStore;
use crate::vault::{self, KeyRing, RingError, Vault};

/// The user that keys belong to where no other is named.
pub(super) const DEFAULT_USER: &str = "default";

/// The database with its tables up to date, and the vault that opens what is in it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) store: Arc<SqlStore>,
    pub(super) vault: Vault,
    pub(super) service: AccountService,
}

impl Site {
    pub(super) async fn open(config: &Config, data_dir: &DataDir) -> anyhow::Result<Self> {
        let store = connect(config, data_dir).await?;
        let ring = open_ring(config, data_dir, &*store).await?;
        let vault = Vault::new(ring, Arc::clone(&store) as _);
        vault.check().await.map_err(|error| match error {
            vault::Error::Tampered | vault::Error::UnknownKeyVersion(_) => {
                anyhow::Error::new(Obstacle::RingOfAnother(config.store.place(data_dir.path())))
            }
            other @ (vault::Error::TooLarge { .. }
            | vault::Error::NoDataKey(_)
            | vault::Error::Randomness
            | vault::Error::Ring(_)
            | vault::Error::Accounts(_)) => other.into(),
        })?;
        let service = AccountService::new(Arc::clone(&store) as _, vault.clone());
        Ok(Self { store, vault, service })
    }

    /// The user of that name or id. The default user is added if it is not there yet.
    pub(super) async fn user(&self, name_or_id: &str) -> anyhow::Result<UserRecord> {
        match self.service.find_user(name_or_id).await {
            Err(ServiceError::Accounts(Error::UnknownUser)) if name_or_id == DEFAULT_USER => {
                Ok(self.service.create_user(DEFAULT_USER, SystemClock.now()).await?)
            }
            found => found.with_context(|| format!("user '{name_or_id}'")),
        }
    }
}

/// Connects to the database and brings its tables up to date.
pub(super) async fn connect(config: &Config, data_dir: &DataDir) -> anyhow::Result<Arc<SqlStore>> {
    let store = SqlStore::connect(config.store.sql_options(data_dir.path())).await;
    let place = || config.store.place(data_dir.path());
    let store = store.map_err(|source| Obstacle::Database { place: place(), source })?;
    store.migrate().await.map_err(|source| Obstacle::Tables { place: place(), source })?;
    Ok(Arc::new(store))
}

/// Opens the key ring. A key file is made on the very first start only: over a database that has data keys, a
/// new one would hide that the old one is lost.
async fn open_ring(config: &Config, data_dir: &DataDir, accounts: &dyn Accounts) -> anyhow::Result<KeyRing> {
    match KeyRing::open(config.vault.source(data_dir.path())) {
        Err(RingError::Missing(path)) if accounts.data_keys().await?.is_empty() => Ok(KeyRing::create(&path)?),
        Err(RingError::Missing(path)) => Err(Obstacle::RingLost(path).into()),
        opened => Ok(opened?),
    }
}
