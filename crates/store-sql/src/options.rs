//! `[store]`: how to reach a database and how long to wait for it.

use std::{fmt, path::PathBuf, str::FromStr as _, time::Duration};

use antiphon_domain::options::{OptionChecks, OptionError, duration, size, word};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use serde::{Deserialize, Serialize};

/// `[store]`: how to reach a database and how long to wait for it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreOptions {
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`. The defaults have none.
    #[serde(skip)]
    pub url: String,
    /// What a commit survives. SQLite only: a PostgreSQL server has its own setting for that, which stays as it is.
    #[serde(deserialize_with = "word::deserialize")]
    pub sync: StoreSync,
    /// The most connections at a time; at least two are used, one of them for writing.
    pub max_connections: u32,
    /// How long a call may wait for a connection.
    #[serde(with = "duration")]
    pub acquire_timeout: Duration,
    /// How long a statement, and a call once it has its connection, may take.
    #[serde(with = "duration")]
    pub statement_timeout: Duration,
    /// How many bytes of its disk are held for deletions, which make room where there is none left; none at 0. SQLite
    /// only.
    #[serde(with = "size")]
    pub reserve: usize,
    /// Calls that take longer than this are logged, by name and without their values.
    #[serde(with = "duration")]
    pub slow_statement: Duration,
}

impl StoreOptions {
    /// The defaults for the database at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Checks the ranges that a configuration is held to.
    #[must_use]
    pub fn check(&self) -> Vec<OptionError> {
        let mut checks = OptionChecks::default();
        checks.range("max_connections", self.max_connections, 2..=1000);
        checks.range("reserve", self.reserve, 0..=1024 * 1024 * 1024);
        checks.into_errors()
    }

    /// The file of an SQLite database; none for another database, and for a URL that is not valid.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let options = self.url.starts_with("sqlite:").then(|| SqliteConnectOptions::from_str(&self.url).ok())??;
        Some(options.get_filename().to_owned())
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            sync: StoreSync::Full,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            reserve: 8 * 1024 * 1024,
            slow_statement: Duration::from_millis(500),
        }
    }
}

// The URL may hold a password.
impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("sync", &self.sync)
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("reserve", &self.reserve)
            .field("slow_statement", &self.slow_statement)
            .finish_non_exhaustive()
    }
}

/// What a commit on SQLite survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreSync {
    /// A loss of power: every commit waits for the disk.
    Full,
    /// The end of the process; a loss of power may lose the last commits.
    Normal,
}
