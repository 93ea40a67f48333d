//! Opening an SQLite database: write-ahead log, one connection that writes, a few that read.

use std::{fs, io, path::Path, str::FromStr, time::Duration};

use sea_orm::{
    ConnectionTrait as _, SqlxSqliteConnector,
    sqlx::{
        self, ConnectOptions, Connection as _, SqlitePool,
        sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use tokio::time::{Instant, sleep};

use super::{StoreOptions, StoreSync, connect::Pools, error::SqlError, opened_file::OpenedFile, reserve::Reserve};
use antiphon_store::Error;

pub(super) async fn open(options: &StoreOptions) -> Result<Pools, SqlError> {
    if options.url.contains(":memory:") || options.url.contains("mode=memory") {
        return Err(
            Error::Failed("several connections cannot share a database in memory; use MemoryStore".into()).into()
        );
    }
    let connect = connect_options(options)?;
    let reserve = Reserve::beside(connect.get_filename(), options.reserve);
    create_file(connect.get_filename()).map_err(|error| Error::Unavailable(Box::new(error)))?;
    let pools = match open_pools(options, &connect).await {
        // The index of the log is made anew where the last process has closed the database.
        Err(error) if error.is_full() => {
            reserve.release();
            open_pools(options, &connect).await?
        }
        opened => opened?,
    };
    let file = OpenedFile::at(connect.get_filename()).map_err(|error| Error::Unavailable(Box::new(error)))?;
    let [read, write] = pools.map(SqlxSqliteConnector::from_sqlx_sqlite_pool);
    Ok(Pools { read, write, reserve: Some(reserve), file: Some(file) })
}

/// Opens those that read, and the one that writes.
async fn open_pools(options: &StoreOptions, connect: &SqliteConnectOptions) -> Result<[SqlitePool; 2], SqlError> {
    if fs::metadata(connect.get_filename()).is_ok_and(|file| file.len() == 0) {
        // Only a new file takes it, and it stays: what is deleted can be given back to the disk, where that is full.
        open_pool(options, 1, connect.clone().auto_vacuum(SqliteAutoVacuum::Incremental)).await?.close().await;
    }
    // Deleted keys and ciphertexts are overwritten in the file, not only unlinked.
    let write = open_pool(options, 1, connect.clone().pragma("secure_delete", "ON")).await?;
    let readers = options.max_connections.saturating_sub(1).max(1);
    let read = open_pool(options, readers, connect.clone().pragma("query_only", "ON")).await?;
    Ok([read, write])
}

/// Opens a pool, with retries: SQLite does not wait for the lock that it takes to switch a fresh file to the
/// write-ahead log, so one of two processes that start together would fail.
async fn open_pool(
    options: &StoreOptions,
    connections: u32,
    connect: SqliteConnectOptions,
) -> Result<SqlitePool, SqlError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let deadline = Instant::now() + options.acquire_timeout;
    loop {
        match pool_options(options, connections).connect_with(connect.clone()).await {
            Err(error) if is_busy(&error) && Instant::now() < deadline => sleep(PAUSE).await,
            opened => return Ok(opened?),
        }
    }
}

/// Has the write-ahead log written from its beginning again, as far as its readers let it: so it need not grow.
pub(super) async fn reuse_log(pools: &Pools) -> Result<(), SqlError> {
    pools.write.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await?;
    Ok(())
}

/// Gives some of what was deleted back to the disk, and all of the write-ahead log.
pub(super) async fn shrink(pools: &Pools) -> Result<(), SqlError> {
    // Two megabytes: each page that moves is written to the log first.
    pools.write.execute_unprepared("PRAGMA incremental_vacuum(512)").await?;
    pools.write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(())
}

fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: i32 = 5;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == BUSY)
}

fn connect_options(options: &StoreOptions) -> Result<SqliteConnectOptions, Error> {
    let synchronous = match options.sync {
        StoreSync::Full => SqliteSynchronous::Full,
        StoreSync::Normal => SqliteSynchronous::Normal,
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

/// The options of a pool, which replaces an idle connection that still counts as in a transaction. SQLite rolls a
/// transaction back by itself when the disk is full, and sqlx does not notice: it treats the next one as nested in
/// the old one, and SQLite may then report each as committed and keep all of them in memory.
fn pool_options(options: &StoreOptions, connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// Creates the file with access for its owner only; SQLite gives the files beside it the same mode.
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
