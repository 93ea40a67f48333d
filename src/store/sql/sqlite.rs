//! Opening an SQLite database: write-ahead log, one connection that writes, a few that read.

use std::{fs, io, path::Path, str::FromStr};

use sea_orm::{
    SqlxSqliteConnector,
    sqlx::{
        ConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};

use super::{SqlOptions, Sync, connect::Pools, error::sqlx_error};
use crate::store::Error;

pub(super) async fn open(options: &SqlOptions) -> Result<Pools, Error> {
    if options.url.contains(":memory:") || options.url.contains("mode=memory") {
        return Err(Error::Failed("several connections cannot share a database in memory; use MemoryStore".into()));
    }
    let connect = connect_options(options)?;
    create_file(connect.get_filename()).map_err(|error| Error::Unavailable(Box::new(error)))?;
    let write = pool_options(options, 1)
        // Deleted keys and ciphertexts are overwritten, not only forgotten.
        .connect_with(connect.clone().pragma("secure_delete", "ON"))
        .await
        .map_err(sqlx_error)?;
    let read = pool_options(options, options.max_connections.saturating_sub(1).max(1))
        .connect_with(connect.pragma("query_only", "ON"))
        .await
        .map_err(sqlx_error)?;
    Ok(Pools {
        read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
        write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
    })
}

fn connect_options(options: &SqlOptions) -> Result<SqliteConnectOptions, Error> {
    let synchronous = match options.sync {
        Sync::Full => SqliteSynchronous::Full,
        Sync::Normal => SqliteSynchronous::Normal,
    };
    Ok(SqliteConnectOptions::from_str(&options.url)
        .map_err(|error| Error::Failed(Box::new(error)))?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(options.statement_timeout)
        .create_if_missing(false)
        .disable_statement_logging())
}

fn pool_options(options: &SqlOptions, connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Creates the file for its owner alone; SQLite gives the files it puts beside it the same mode.
fn create_file(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new();
    file.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map(drop)
}
