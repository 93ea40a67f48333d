//! The store itself: it runs calls on its own runtime, with a time limit and a name.

use std::{future::Future, sync::Arc, time::Duration};

use antiphon_migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};
use tokio::time::{Instant, timeout};

use super::{
    NewerTables, OlderTables, StoreOptions,
    connect::Pools,
    error::{SqlError, is_failed_write},
    io_runtime::IoRuntime,
    opened_file::OpenedFile,
    reserve::Reserve,
    sqlite,
};
use antiphon_store::Error;

/// The pause before a migration that found a lock in its way is tried again.
const MIGRATION_PAUSE: Duration = Duration::from_secs(1);

/// A store in an SQLite or PostgreSQL database.
#[derive(Debug)]
pub struct SqlStore {
    // Before the runtime: the connections end while their runtime is still there.
    pools: Arc<Pools>,
    runtime: IoRuntime,
    limit: Duration,
    slow: Duration,
}

impl SqlStore {
    /// Opens the database. An SQLite file is created if there is none, for its owner alone; tables are not:
    /// see [`migrate`](Self::migrate).
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::TimedOut`] if it can't be reached, [`Error::Failed`] if the URL is not valid.
    pub async fn connect(options: StoreOptions) -> Result<Self, Error> {
        let runtime = IoRuntime::start()?;
        let limit = options.acquire_timeout + options.statement_timeout;
        let slow = options.slow_statement;
        let open = async move { within(limit, Pools::open(&options)).await };
        let pools = Arc::new(runtime.run(open).await?);
        Ok(Self { pools, runtime, limit, slow })
    }

    /// Brings the tables up to date. Nodes that start together wait for each other. What another program does with a table
    /// is waited for without holding up those who use the table meanwhile, however long it takes.
    ///
    /// # Errors
    /// As the database reports; then nothing has changed.
    pub async fn migrate(&self) -> Result<(), Error> {
        let pools = Arc::clone(&self.pools);
        self.runtime.run(async move { migrate_patiently(&pools).await }).await
    }

    /// Changes nothing, and checks that the tables are those that this version works with.
    ///
    /// # Errors
    /// [`Error::Failed`] with [`NewerTables`] or [`OlderTables`] as its source if they are not, else as the database
    /// reports.
    pub async fn check_tables(&self) -> Result<(), Error> {
        let pools = Arc::clone(&self.pools);
        self.runtime.run(async move { Ok(check_tables(&pools).await?) }).await
    }

    /// Whether any version of this program has made tables there. Changes nothing.
    ///
    /// # Errors
    /// As the database reports.
    pub async fn has_tables(&self) -> Result<bool, Error> {
        self.call("has_tables", |pools| async move { has_tables(&pools).await }).await
    }

    /// Takes the room that [`StoreOptions::reserve`] keeps for deletions, and holds it from now on: what a server does.
    /// Whoever works beside one gives it up where a deletion needs it, and leaves it to the server to take it again. Where
    /// there is no room, the log says so, and it is tried again.
    pub fn hold_reserve(&self) {
        self.pools.reserve.iter().for_each(Reserve::hold);
    }

    /// Closes all connections, after the calls that are under way.
    ///
    /// # Errors
    /// As the database reports; the connections are closed all the same.
    pub async fn close(&self) -> Result<(), Error> {
        let pools = Arc::clone(&self.pools);
        self.runtime.run(async move { Ok(pools.close().await?) }).await
    }

    /// Runs `work` on the store's runtime, for at most the time a call may take.
    pub(super) async fn call<T, W, F>(&self, operation: &'static str, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Pools>) -> F,
        F: Future<Output = Result<T, SqlError>> + Send + 'static,
    {
        let (limit, slow) = (self.limit, self.slow);
        let pools = Arc::clone(&self.pools);
        let work = work(Arc::clone(&pools));
        self.runtime
            .run(async move {
                let begun = Instant::now();
                let answer = within(limit, work).await.map_err(|error| for_want_of_room(error, &pools));
                let took = begun.elapsed();
                if answer.is_ok() {
                    pools.reserve.iter().for_each(Reserve::hold_again);
                } else if matches!(answer, Err(Error::Full(_))) && pools.reserve.is_some() {
                    // For the next try. If there is no room for this either, that is what the answer says already.
                    within(limit, sqlite::reuse_log(&pools)).await.ok();
                }
                if took >= slow {
                    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                    tracing::warn!(operation, duration_ms, "slow database operation");
                }
                answer
            })
            .await
    }
}

impl SqlStore {
    /// The same for what deletes: where it finds no room, it is done once more in the room that is kept for it, and what it
    /// deleted is given back to the disk.
    pub(super) async fn call_in_reserve<T, W, F>(&self, operation: &'static str, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Fn(Arc<Pools>) -> F,
        F: Future<Output = Result<T, SqlError>> + Send + 'static,
    {
        let first = self.call(operation, &work).await;
        let Some(reserve) = self.pools.reserve.as_ref().filter(|_| matches!(first, Err(Error::Full(_)))) else {
            return first;
        };
        reserve.release();
        // Before all of that room is log, which the database then can't grow to take in: so nothing would have room again.
        let (limit, pools) = (self.limit, Arc::clone(&self.pools));
        self.runtime.run(async move { within(limit, sqlite::reuse_log(&pools)).await }).await.ok();
        let done = self.call(operation, &work).await;
        let shrunk = self.call("shrink", |pools| async move { sqlite::shrink(&pools).await }).await;
        if let Err(error) = shrunk {
            tracing::warn!(error = %error, "what was deleted could not be given back to the disk");
        }
        reserve.hold_after_deletion();
        done
    }
}

/// Has an error that is for want of room say so: of a write that failed the database does not tell why.
fn for_want_of_room(error: Error, pools: &Pools) -> Error {
    let is_full = is_failed_write(&error) && pools.file.as_ref().is_some_and(OpenedFile::has_no_room_to_grow);
    if !is_full {
        return error;
    }
    let Error::Unavailable(source) = error else { return error };
    Error::Full(source)
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, SqlError>>) -> Result<T, Error> {
    match timeout(limit, work).await {
        Ok(answer) => Ok(answer?),
        Err(elapsed) => Err(Error::TimedOut(Box::new(elapsed))),
    }
}

/// Migrates until no lock of another program is in the way. A change of a table waits for all who use it, and whoever wants
/// to use it waits behind the change: so each try waits briefly, and lets the others through before the next one.
async fn migrate_patiently(pools: &Pools) -> Result<(), Error> {
    loop {
        match migrate(pools).await.map_err(Error::from) {
            Err(error @ Error::Contended(_)) => {
                tracing::warn!(error = %error, "the change of the tables waits for another program's lock");
                tokio::time::sleep(MIGRATION_PAUSE).await;
            }
            done => return done,
        }
    }
}

async fn migrate(pools: &Pools) -> Result<(), SqlError> {
    /// The lock of the migrations, which may be waited for. Its number is arbitrary; nothing else in the same database may
    /// lock it.
    const LOCK: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                        SELECT pg_advisory_xact_lock(7021866215503409); SET LOCAL lock_timeout TO DEFAULT";
    let transaction = pools.begin().await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(LOCK).await?;
    }
    refuse_newer(&transaction).await?;
    Migrator::up(&transaction, None).await?;
    Ok(transaction.commit().await?)
}

async fn has_tables(pools: &Pools) -> Result<bool, SqlError> {
    // It is never committed: looking makes the table of the changes where there is none.
    let transaction = pools.begin().await?;
    Ok(!Migrator::get_migration_models(&transaction).await?.is_empty())
}

async fn check_tables(pools: &Pools) -> Result<(), SqlError> {
    // It is never committed: looking makes the table of the changes where there is none.
    let transaction = pools.begin().await?;
    refuse_newer(&transaction).await?;
    let applied = Migrator::get_migration_models(&transaction).await?;
    let is_missing = |name: &str| !applied.iter().any(|model| model.version == name);
    match Migrator::migrations().iter().find(|migration| is_missing(migration.name())) {
        Some(missing) => Err(Error::Failed(Box::new(OlderTables(missing.name().to_owned()))).into()),
        None => Ok(()),
    }
}

/// Refuses tables that a later version has changed.
async fn refuse_newer(transaction: &DatabaseTransaction) -> Result<(), SqlError> {
    let applied = Migrator::get_migration_models(transaction).await?;
    let known: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    match applied.into_iter().find(|model| !known.contains(&model.version)) {
        Some(model) => Err(Error::Failed(Box::new(NewerTables(model.version))).into()),
        None => Ok(()),
    }
}
