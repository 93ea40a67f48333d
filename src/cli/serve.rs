//! What has to be there before a server can start.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use super::site::{DEFAULT_USER, Site};
use super::{DataDir, DataDirLock};
use crate::access::{AccountService, Accounts as _, ApiKey, Authenticator, Error, ServiceError};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Provider};
use crate::store::SqlStore;
use crate::vault::Vault;

/// Everything that a server needs to start: locked, connected, migrated, unlocked.
#[derive(Debug)]
pub struct ServeInput {
    /// The configuration, with the address that the command line asked for.
    pub config: Config,
    /// The data directory.
    pub data_dir: DataDir,
    /// Its lock; it has to live as long as the server.
    pub lock: DataDirLock,
    /// The node's name in the database.
    pub node: String,
    /// The record of all responses.
    pub store: Arc<SqlStore>,
    /// What opens and seals content.
    pub vault: Vault,
    /// Tells who sends a request.
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
    let Site { store, vault, service } = Site::open(&config, &data_dir).await?;
    let authenticator = Authenticator::new(Arc::clone(&store) as _, vault.pepper());
    Ok(ServeInput { config, data_dir, lock, node, store, vault, authenticator, service })
}

impl ServeInput {
    /// What people are told once the server listens at `address`. On the very first start this adds the
    /// default user and an API key, which is shown here and never again; so call it when the socket is bound,
    /// and print it.
    ///
    /// # Errors
    /// If the user or the key can't be added.
    pub async fn welcome(&self, address: SocketAddr) -> anyhow::Result<String> {
        let url = format!("http://{}", reachable(address));
        Ok(match self.first_key().await? {
            Some(key) => first_start(&url, &key, self.first_model()),
            None => format!("Antiphon listens on {url}\n"),
        })
    }

    /// The first key, if there is no user yet. Of two nodes that start together, one makes it.
    async fn first_key(&self) -> anyhow::Result<Option<ApiKey>> {
        if !self.store.users().await?.is_empty() {
            return Ok(None);
        }
        let user = match self.service.create_user(DEFAULT_USER, SystemClock.now()).await {
            Err(ServiceError::Accounts(Error::NameTaken)) => return Ok(None),
            created => created?,
        };
        Ok(Some(self.service.create_key(user.id, "first", SystemClock.now()).await?))
    }

    /// A model to try: the built-in one if it is there.
    fn first_model(&self) -> Option<&str> {
        let names = |provider| match provider {
            &Provider::Eliza(_) => Some("eliza"),
            Provider::Upstream(section) => {
                section.models.iter().find(|model| !model.is_any()).map(|model| model.id.as_str())
            }
        };
        let models: Vec<&str> = self.config.providers.values().filter_map(names).collect();
        models.iter().find(|model| **model == "eliza").or(models.first()).copied()
    }
}

fn first_start(url: &str, key: &ApiKey, model: Option<&str>) -> String {
    let key = key.expose();
    let mut text = format!("Antiphon listens on {url}\n\nYour API key, shown this once:\n\n  {key}\n");
    if let Some(model) = model {
        let body = serde_json::json!({ "model": model, "input": "I feel calm today.", "stream": true });
        text.push_str(&format!(
            "\nTry it:\n\n  curl -N {url}/v1/responses -H 'Authorization: Bearer {key}' \
             -H 'Content-Type: application/json' -d '{body}'\n"
        ));
    }
    text
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}
