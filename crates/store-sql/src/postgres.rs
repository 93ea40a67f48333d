//! Opening a PostgreSQL database.

use std::{str::FromStr, time::Duration};

use sea_orm::{
    SqlxPostgresConnector,
    sqlx::{
        self, ConnectOptions, Connection, PgConnection, PgPool,
        postgres::{PgConnectOptions, PgPoolOptions},
    },
};

use super::{StoreOptions, connect::Pools, error::SqlError};
use antiphon_store::Error;

/// How long a statement waits for a lock that another transaction holds, in milliseconds: then it is
/// [contended](Error::Contended), soon enough for the others of a group to go on.
const LOCK_TIMEOUT: &str = "1000";

/// A connection that has been idle for this long is asked whether it still works before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

pub(super) async fn open(options: &StoreOptions) -> Result<Pools, SqlError> {
    let connect = connect_options(options)?;
    let writers = if options.max_connections >= 4 { 2 } else { 1 };
    let readers = options.max_connections.saturating_sub(writers).max(1);
    let write = open_pool(options, writers, &connect).await?;
    let read = open_pool(options, readers, &connect).await?;
    Ok(Pools {
        read: SqlxPostgresConnector::from_sqlx_postgres_pool(read),
        write: SqlxPostgresConnector::from_sqlx_postgres_pool(write),
        reserve: None,
        file: None,
    })
}

/// Opens a pool. A pool that can't connect only reports a timeout, so one more connection is tried outside of it to
/// get the error.
async fn open_pool(options: &StoreOptions, connections: u32, connect: &PgConnectOptions) -> Result<PgPool, SqlError> {
    const LAST_TRY: Duration = Duration::from_secs(2);
    match pool_options(options, connections).connect_with(connect.clone()).await {
        Err(late @ sqlx::Error::PoolTimedOut) => {
            let tried = tokio::time::timeout(LAST_TRY, PgConnection::connect_with(connect)).await;
            Err(tried.ok().and_then(Result::err).unwrap_or(late).into())
        }
        opened => Ok(opened?),
    }
}

fn connect_options(options: &StoreOptions) -> Result<PgConnectOptions, Error> {
    let timeout = options.statement_timeout.as_millis().to_string();
    Ok(PgConnectOptions::from_str(&options.url)
        .map_err(|error| Error::Failed(Box::new(error)))?
        .application_name("antiphon")
        // The timeouts of the server: a client that vanished must not keep its locks.
        .options([
            ("statement_timeout", timeout.as_str()),
            ("lock_timeout", LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", timeout.as_str()),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ])
        .disable_statement_logging())
}

fn pool_options(options: &StoreOptions, connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move { Ok(meta.idle_for < TRUSTED_IDLE || connection.ping().await.is_ok()) })
        })
}
