//! What is made ready before a server starts.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::command_context::{CommandContext, DEFAULT_USER};
use super::welcome::Welcome;
use super::{DataDir, DataDirLock};
use crate::access::{AccountService, ApiKey, Authenticator, ServiceError};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, LogFormat};
use crate::store::{AccountError, AccountStore as _, SqlStore};
use crate::vault::Vault;

/// Everything that a server needs to start: locked, connected, migrated, unlocked.
#[derive(Debug)]
pub struct ServeInput {
    /// The configuration, with the address that the command line asked for.
    pub config: Config,
    /// The data directory.
    pub data_dir: DataDir,
    /// The lock of the data directory; it has to live as long as the server.
    pub lock: DataDirLock,
    /// The node's name in the database.
    pub node: String,
    /// The database of all responses.
    pub store: Arc<SqlStore>,
    /// What encrypts and decrypts content.
    pub vault: Vault,
    /// What authenticates requests.
    pub authenticator: Authenticator,
    pub(super) service: AccountService,
}

/// Takes the data directory's lock, opens the database and the key ring, and makes on the first start what is
/// not there yet.
///
/// # Errors
/// What people are to read on standard error.
pub async fn prepare(mut config: Config, data: &Path, listen: Option<SocketAddr>) -> anyhow::Result<ServeInput> {
    if let Some(listen) = listen {
        config.server.listen = listen;
    }
    let data_dir = DataDir::open(data)?;
    let lock = data_dir.lock()?;
    let node = data_dir.node_name(&lock)?;
    let CommandContext { store, vault, service, .. } = CommandContext::open(&config, &data_dir).await?;
    let authenticator = Authenticator::new(Arc::clone(&store) as _, vault.pepper());
    Ok(ServeInput { config, data_dir, lock, node, store, vault, authenticator, service })
}

impl ServeInput {
    /// The text that is printed once the server listens at `address`; one JSON object a line where logs are JSON. On the
    /// very first start this adds the default user and an API key, which is shown here and never again; so call it
    /// when the socket is bound, and print it.
    ///
    /// # Errors
    /// If the user or the key can't be added.
    pub async fn welcome(&self, address: SocketAddr) -> anyhow::Result<String> {
        let key = self.first_key().await?;
        let welcome = Welcome::new(&self.config, self.data_dir.path(), address);
        Ok(match self.config.log.format {
            LogFormat::Text => welcome.text(key.as_ref()),
            LogFormat::Json => welcome.json(key.as_ref()),
        })
    }

    /// Makes the first key, if there is no user yet. Of two nodes that start together, one makes it.
    async fn first_key(&self) -> anyhow::Result<Option<ApiKey>> {
        if !self.store.users().await?.is_empty() {
            return Ok(None);
        }
        let user = match self.service.create_user(DEFAULT_USER, SystemClock.now()).await {
            Err(ServiceError::Accounts(AccountError::NameTaken)) => return Ok(None),
            created => created?,
        };
        Ok(Some(self.service.create_key(user.id, "first", SystemClock.now()).await?))
    }
}
