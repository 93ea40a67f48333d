//! What a command works on: the database, the vault, the accounts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::{DataDir, StartupError};
use crate::access::{AccountService, ServiceError};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::store::{AccountError, AccountStore, SqlStore, UserRecord};
use crate::vault::{self, KeyRing, RingError, Vault};

/// The user that keys belong to where no other is named.
pub(super) const DEFAULT_USER: &str = "default";

/// The database with its tables up to date, and the vault that opens what is in it.
#[derive(Debug)]
pub(super) struct CommandContext {
    pub(super) store: Arc<SqlStore>,
    pub(super) vault: Vault,
    pub(super) service: AccountService,
    /// A sentence about the new database or key ring, if this made one.
    pub(super) begun: Option<String>,
}

impl CommandContext {
    /// Opens the database and the key ring, and makes those that are not there.
    pub(super) async fn open(config: &Config, data_dir: &DataDir) -> anyhow::Result<Self> {
        // Where that can't be seen, opening it says why.
        let is_new = missing_file(config, data_dir).is_ok_and(|file| file.is_some());
        let store = connect(config, data_dir).await?;
        let (ring, is_new_ring) = match open_ring(config, data_dir, &*store).await? {
            Ring::Opened(ring) => (ring, false),
            Ring::Missing(path) => (KeyRing::open_or_create(&path)?, true),
        };
        let place = whole(data_dir.path());
        let begun = (is_new || is_new_ring).then(|| {
            format!(
                "there was nothing yet, so this began a new data directory: '{}' (--data chooses another)",
                place.display()
            )
        });
        Self::unlocked(config, data_dir, store, ring, begun).await
    }

    /// Opens the database and the key ring; fails if one is not there.
    pub(super) async fn find(config: &Config, data_dir: &DataDir) -> anyhow::Result<Self> {
        let store = find_store(config, data_dir).await?;
        match open_ring(config, data_dir, &*store).await? {
            Ring::Opened(ring) => Self::unlocked(config, data_dir, store, ring, None).await,
            Ring::Missing(path) => Err(StartupError::NotBegun(whole(&path)).into()),
        }
    }

    async fn unlocked(
        config: &Config,
        data_dir: &DataDir,
        store: Arc<SqlStore>,
        ring: KeyRing,
        begun: Option<String>,
    ) -> anyhow::Result<Self> {
        let vault = Vault::new(ring, Arc::clone(&store) as _);
        vault.check().await.map_err(|error| match error {
            vault::Error::Tampered | vault::Error::UnknownKeyVersion(_) => {
                anyhow::Error::new(StartupError::RingOfAnother(config.store.place(data_dir.path())))
            }
            other @ (vault::Error::TooLarge { .. }
            | vault::Error::NoDataKey(_)
            | vault::Error::Randomness
            | vault::Error::Ring(_)
            | vault::Error::Accounts(_)) => other.into(),
        })?;
        let service = AccountService::new(Arc::clone(&store) as _, vault.clone());
        Ok(Self { store, vault, service, begun })
    }

    /// The user of that name or id. The default user is added if it is not there yet.
    pub(super) async fn user(&self, name_or_id: &str) -> anyhow::Result<UserRecord> {
        match self.service.find_user(name_or_id).await {
            Err(ServiceError::Accounts(AccountError::UnknownUser)) if name_or_id == DEFAULT_USER => {
                Ok(self.service.create_user(DEFAULT_USER, SystemClock.now()).await?)
            }
            found => found.with_context(|| format!("user '{name_or_id}'")),
        }
    }
}

/// The file of the database, if that is one that is not there.
fn missing_file(config: &Config, data_dir: &DataDir) -> Result<Option<PathBuf>, StartupError> {
    let Some(path) = config.store.options(data_dir.path()).sqlite_file() else { return Ok(None) };
    match path.try_exists() {
        Ok(is_there) => Ok((!is_there).then_some(path)),
        Err(source) => Err(StartupError::DataDir { path, source }),
    }
}

/// The path from the root on, so that a wrong working directory can be seen.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Connects to a database that is there, and brings its tables up to date.
pub(super) async fn find_store(config: &Config, data_dir: &DataDir) -> anyhow::Result<Arc<SqlStore>> {
    match missing_file(config, data_dir)? {
        Some(path) => Err(StartupError::NoDatabase(whole(&path)).into()),
        None => connect(config, data_dir).await,
    }
}

/// Connects to a database that is there and changes none of its tables: servers of an older version may use them. Fails
/// if they are not those of this version.
pub(super) async fn find_unchanged_store(config: &Config, data_dir: &DataDir) -> anyhow::Result<SqlStore> {
    if let Some(path) = missing_file(config, data_dir)? {
        return Err(StartupError::NoDatabase(whole(&path)).into());
    }
    let store = open_store(config, data_dir).await?;
    let place = || config.store.place(data_dir.path());
    store.check_tables().await.map_err(|source| StartupError::Tables { place: place(), source })?;
    Ok(store)
}

async fn open_store(config: &Config, data_dir: &DataDir) -> Result<SqlStore, StartupError> {
    let store = SqlStore::connect(config.store.options(data_dir.path())).await;
    store.map_err(|source| StartupError::Database { place: config.store.place(data_dir.path()), source })
}

/// Connects to the database and brings its tables up to date.
pub(super) async fn connect(config: &Config, data_dir: &DataDir) -> anyhow::Result<Arc<SqlStore>> {
    let place = config.store.place(&whole(data_dir.path()));
    let is_known = data_dir.has_used(&place)?;
    let gone = || StartupError::DatabaseGone { place: place.clone(), note: data_dir.database_note() };
    // SQLite would take the log beside an empty file for one of another database, and remove it.
    let is_empty = |file: PathBuf| fs::metadata(file).is_ok_and(|file| file.len() == 0);
    let is_gone = missing_file(config, data_dir)?.is_some()
        || config.store.options(data_dir.path()).sqlite_file().is_some_and(is_empty);
    if is_known && is_gone {
        return Err(gone().into());
    }
    let store = open_store(config, data_dir).await?;
    let of_tables = |source| StartupError::Tables { place: place.clone(), source };
    if is_known && !store.has_tables().await.map_err(of_tables)? {
        return Err(gone().into());
    }
    store.migrate().await.map_err(of_tables)?;
    // A command may work without a directory, where the database is elsewhere.
    if !is_known && data_dir.path().is_dir() {
        data_dir.note_used(&place)?;
    }
    Ok(Arc::new(store))
}

enum Ring {
    Opened(KeyRing),
    /// There is no file, and nothing that was sealed with what was in it.
    Missing(PathBuf),
}

/// Opens the key ring. A key file is made on the very first start only: over a database that has data keys, a
/// new one would hide that the old one is lost.
async fn open_ring(config: &Config, data_dir: &DataDir, accounts: &dyn AccountStore) -> anyhow::Result<Ring> {
    match KeyRing::open(config.vault.source(data_dir.path())) {
        Err(RingError::Missing(path)) if accounts.data_keys().await?.is_empty() => Ok(Ring::Missing(path)),
        Err(RingError::Missing(path)) => Err(StartupError::RingLost(path).into()),
        opened => Ok(Ring::Opened(opened?)),
    }
}
