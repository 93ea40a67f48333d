//! How to reach a database and how long to wait for it.

use std::{fmt, path::PathBuf, str::FromStr as _, time::Duration};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;

/// How to reach a database and how long to wait for it.
#[derive(Clone)]
pub struct SqlOptions {
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: String,
    /// What a commit on SQLite survives. A PostgreSQL server has its own setting for that, which is not changed.
    pub sync: Sync,
    /// The most connections at a time; at least two are used, one of them for writing.
    pub max_connections: u32,
    /// How long a call may wait for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement, and a call once it has its connection, may take.
    pub statement_timeout: Duration,
    /// Calls that take longer than this are logged, by name and without their values.
    pub slow_statement: Duration,
}

impl SqlOptions {
    /// The defaults for a database: full sync, 10 connections, 5 s for a connection, 10 s for a statement,
    /// 500 ms for a slow one.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            sync: Sync::Full,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            slow_statement: Duration::from_millis(500),
        }
    }

    /// The file of an SQLite database; none for another database, and for a URL that is not valid.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let options = self.url.starts_with("sqlite:").then(|| SqliteConnectOptions::from_str(&self.url).ok())??;
        Some(options.get_filename().to_owned())
    }
}

// The URL may hold a password.
impl fmt::Debug for SqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlOptions")
            .field("sync", &self.sync)
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("slow_statement", &self.slow_statement)
            .finish_non_exhaustive()
    }
}

/// What a commit on SQLite survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// A loss of power: every commit waits for the disk.
    Full,
    /// The end of the process; a loss of power may lose the last commits.
    Normal,
}
