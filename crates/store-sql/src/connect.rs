//! Opening a database of either kind.

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use super::{StoreOptions, error::SqlError, opened_file::OpenedFile, postgres, reserve::Reserve, sqlite};
use antiphon_store::Error;

/// The connections to one database.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) read: DatabaseConnection,
    pub(super) write: DatabaseConnection,
    /// Room for deletions; none on a database that has a disk of its own.
    pub(super) reserve: Option<Reserve>,
    /// The file that the connections opened; none of a database that is elsewhere.
    pub(super) file: Option<OpenedFile>,
}

impl Pools {
    pub(super) async fn open(options: &StoreOptions) -> Result<Self, SqlError> {
        match options.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => sqlite::open(options).await,
            Some("postgres" | "postgresql") => postgres::open(options).await,
            Some(_) | None => {
                Err(Error::Failed("the database's URL must begin with sqlite: or postgres:".into()).into())
            }
        }
    }

    /// Begins a transaction that writes. On SQLite it takes its lock at once, because SQLite does not wait for a lock
    /// that is taken later.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, SqlError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.write.begin_with_options(options).await?)
    }

    /// Checks that the database answers. Of a file: that it is still where it was opened, and that something of each table
    /// that every request needs can be read. The ping of SQLite's driver touches no file.
    pub(super) async fn ping(&self) -> Result<(), SqlError> {
        const READ: &str = "SELECT EXISTS (SELECT 1 FROM responses), EXISTS (SELECT 1 FROM segments), \
                            EXISTS (SELECT 1 FROM items), EXISTS (SELECT 1 FROM nodes)";
        let Some(file) = &self.file else { return Ok(self.read.ping().await?) };
        file.check()?;
        self.read.execute_unprepared(READ).await?;
        Ok(())
    }

    pub(super) async fn close(&self) -> Result<(), SqlError> {
        self.read.close_by_ref().await?;
        Ok(self.write.close_by_ref().await?)
    }
}
