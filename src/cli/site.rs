//! What a command works on: the database, the vault, the accounts.

use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::DataDir;
use crate::access::{AccountService, Accounts, Error, ServiceError, UserRecord};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::store::SqlStore;
use crate::vault::{KeyRing, RingError, Vault};

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
        vault.check().await.context("the key ring does not belong to the database")?;
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
    let store = store.context("the database can't be opened")?;
    store.migrate().await.context("the tables of the database can't be brought up to date")?;
    Ok(Arc::new(store))
}

/// Opens the key ring. A key file is made on the very first start only: over a database that has data keys, a
/// new one would hide that the old one is lost.
async fn open_ring(config: &Config, data_dir: &DataDir, accounts: &dyn Accounts) -> anyhow::Result<KeyRing> {
    match KeyRing::open(config.vault.source(data_dir.path())) {
        Err(RingError::Missing(path)) if accounts.data_keys().await?.is_empty() => Ok(KeyRing::create(&path)?),
        Err(error @ RingError::Missing(_)) => {
            bail!("{error}, and the database can't be read without it: restore it from its backup")
        }
        opened => Ok(opened?),
    }
}
