//! The store: where calls cross over to its runtime, with a time limit and a name.

use std::{future::Future, sync::Arc, time::Duration};

use antiphon_migration::{Migrator, MigratorTrait};
use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};
use tokio::time::{Instant, timeout};

use super::{
    NewerTables, SqlOptions, chain, commit, connect::Pools, idempotency, io_runtime::IoRuntime, items, lease, read,
};
use crate::domain::Timestamp;
use crate::protocol::{ResponseId, UserId};
use crate::store::{CommitOutcome, Entry, Error, IdempotencyRecord, ItemPage, ItemQuery, ResponseRow, Segment, Store};

/// The record and the accounts in an SQLite or PostgreSQL database.
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
    /// [`Error::Unavailable`] if it can't be reached, [`Error::Failed`] if the URL makes no sense.
    pub async fn connect(options: SqlOptions) -> Result<Self, Error> {
        let runtime = IoRuntime::start()?;
        let limit = options.acquire_timeout + options.statement_timeout;
        let slow = options.slow_statement;
        let open = async move { within(limit, Pools::open(&options)).await };
        let pools = Arc::new(runtime.run(open).await?);
        Ok(Self { pools, runtime, limit, slow })
    }

    /// Brings the tables up to date. Nodes that start together wait for each other.
    ///
    /// # Errors
    /// As the database says; then nothing has changed.
    pub async fn migrate(&self) -> Result<(), Error> {
        let pools = Arc::clone(&self.pools);
        self.runtime.run(async move { migrate(&pools).await }).await
    }

    /// Closes all connections, after what is under way.
    ///
    /// # Errors
    /// As the database says; the connections are closed all the same.
    pub async fn close(&self) -> Result<(), Error> {
        let pools = Arc::clone(&self.pools);
        self.runtime.run(async move { pools.close().await }).await
    }

    /// Runs `work` on the store's runtime, for at most the time a call may take.
    pub(super) async fn call<T, W, F>(&self, operation: &'static str, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Pools>) -> F,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (limit, slow) = (self.limit, self.slow);
        let work = work(Arc::clone(&self.pools));
        self.runtime
            .run(async move {
                let begun = Instant::now();
                let answer = within(limit, work).await;
                let took = begun.elapsed();
                if took >= slow {
                    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                    tracing::warn!(operation, duration_ms, "slow database operation");
                }
                answer
            })
            .await
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(limit, work).await.unwrap_or_else(|elapsed| Err(Error::Unavailable(Box::new(elapsed))))
}

async fn migrate(pools: &Pools) -> Result<(), Error> {
    /// Any number that nothing else locks in the same database.
    const LOCK: &str = "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7021866215503409)";
    let transaction = pools.begin().await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(LOCK).await?;
    }
    refuse_newer(&transaction).await?;
    Migrator::up(&transaction, None).await?;
    Ok(transaction.commit().await?)
}

/// Tables that a later version has changed are left to it.
async fn refuse_newer(transaction: &DatabaseTransaction) -> Result<(), Error> {
    let applied = Migrator::get_migration_models(transaction).await?;
    let known: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    match applied.into_iter().find(|model| !known.contains(&model.version)) {
        Some(model) => Err(Error::Failed(Box::new(NewerTables(model.version)))),
        None => Ok(()),
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn commit(&self, group: &[Entry]) -> Result<Vec<CommitOutcome>, Error> {
        let group = group.to_vec();
        self.call("commit", |pools| async move { commit::commit(&pools, &group).await }).await
    }

    async fn response(&self, id: ResponseId) -> Result<Option<ResponseRow>, Error> {
        self.call("response", move |pools| async move { read::response(&pools.read, id).await }).await
    }

    async fn segments(&self, id: ResponseId, from: u64, limit: u32) -> Result<Vec<Segment>, Error> {
        self.call("segments", move |pools| async move { read::segments(&pools.read, id, from, limit).await }).await
    }

    async fn items(&self, query: ItemQuery) -> Result<ItemPage, Error> {
        self.call("items", |pools| async move { items::page(&pools.read, &query).await }).await
    }

    async fn chain(&self, id: ResponseId, limit: u32) -> Result<Vec<ResponseRow>, Error> {
        self.call("chain", move |pools| async move { chain::chain(&pools.read, id, limit).await }).await
    }

    async fn next_epoch(&self, node: &str, lease: Duration) -> Result<i64, Error> {
        let node = node.to_owned();
        self.call("next_epoch", move |pools| async move { commit::next_epoch(&pools, node, lease).await }).await
    }

    async fn renew_lease(&self, node: &str, epoch: i64, lease: Duration) -> Result<bool, Error> {
        let node = node.to_owned();
        self.call("renew_lease", move |pools| async move { lease::renew(&pools, node, epoch, lease).await }).await
    }

    async fn orphaned(&self, node: &str, epoch: i64, limit: u32) -> Result<Vec<ResponseRow>, Error> {
        let node = node.to_owned();
        self.call("orphaned", move |pools| async move { lease::orphaned(&pools.read, node, epoch, limit).await }).await
    }

    async fn idempotency_key(&self, user: UserId, key: &[u8; 32]) -> Result<Option<IdempotencyRecord>, Error> {
        let key = *key;
        self.call("idempotency_key", move |pools| async move { idempotency::find(&pools.read, user, &key).await }).await
    }

    async fn forget_idempotency_keys(&self, before: Timestamp) -> Result<u64, Error> {
        self.call("forget_idempotency_keys", move |pools| async move { idempotency::forget(&pools, before).await })
            .await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.call("ping", |pools| async move { read::ping(&pools.read).await }).await
    }
}
