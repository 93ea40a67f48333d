//! `[store]`: the database.

use std::path::Path;
use std::time::Duration;

use garde::Validate;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{duration, word};
use crate::store::{SqlOptions, Sync};

/// `[store]`: the database.
#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct StoreSection {
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`; none for a file in the data directory.
    #[serde(skip_serializing)]
    #[garde(custom(known_scheme))]
    pub url: Option<SecretString>,
    /// What a commit survives. SQLite only: a PostgreSQL server has its own setting.
    #[serde(deserialize_with = "word::deserialize")]
    pub sync: StoreSync,
    /// The most connections at a time.
    #[garde(range(min = 2, max = 1000))]
    pub max_connections: u32,
    /// How long a call may wait for a connection.
    #[serde(with = "duration")]
    pub acquire_timeout: Duration,
    /// How long a statement may take.
    #[serde(with = "duration")]
    pub statement_timeout: Duration,
    /// Calls that take longer than this are logged, without their values.
    #[serde(with = "duration")]
    pub slow_statement: Duration,
    /// How long a running response waits for a database that is away before its provider is stopped.
    #[serde(with = "duration")]
    pub outage_patience: Duration,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreSync {
    /// The loss of power.
    Full,
    /// The end of the process; the loss of power may take the last commits.
    Normal,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            url: None,
            sync: StoreSync::Full,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            slow_statement: Duration::from_millis(500),
            outage_patience: Duration::from_secs(30),
        }
    }
}

impl StoreSection {
    /// The options of the SQL adapter; without a URL, those of a file in the data directory.
    #[must_use]
    pub fn sql_options(&self, data_dir: &Path) -> SqlOptions {
        let url = match &self.url {
            Some(url) => url.expose_secret().to_owned(),
            None => sqlite_url(&data_dir.join("antiphon.db")),
        };
        SqlOptions {
            url,
            sync: match self.sync {
                StoreSync::Full => Sync::Full,
                StoreSync::Normal => Sync::Normal,
            },
            max_connections: self.max_connections,
            acquire_timeout: self.acquire_timeout,
            statement_timeout: self.statement_timeout,
            slow_statement: self.slow_statement,
        }
    }
}

/// A path may hold what means something else in a URL.
fn sqlite_url(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}")
}

fn known_scheme(url: &Option<SecretString>, _: &()) -> garde::Result {
    let known = |url: &SecretString| {
        ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.expose_secret().starts_with(scheme))
    };
    if url.as_ref().is_none_or(known) {
        Ok(())
    } else {
        Err(garde::Error::new("expected a URL that begins with sqlite:, postgres:// or postgresql://"))
    }
}
