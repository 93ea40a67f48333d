//! One HTTP client per runtime and thread: a socket belongs to the runtime that opened it.

use std::cell::RefCell;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client as PooledClient, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::runtime::{self, Handle};
use tower_service::Service;

/// How long a connection that nobody uses is kept for the next call.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// How often the system asks whether the other end of a silent connection is still there, and how often in vain.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_RETRIES: u32 = 3;

/// How long what was sent may go unconfirmed. Where the system knows no such time, its own holds.
#[cfg(target_os = "linux")]
const UNCONFIRMED: Duration = Duration::from_secs(30);

/// Sends requests. It follows no redirect, uses no proxy of the environment, keeps no cookies and makes no second attempt.
pub(super) type Client = PooledClient<TimedConnector, Full<Bytes>>;

/// The settings that all clients of one upstream share.
#[derive(Debug)]
pub(super) struct ClientRecipe {
    pub(super) tls: Arc<ClientConfig>,
}

struct Local {
    recipe: Weak<ClientRecipe>,
    runtime: runtime::Id,
    connect_timeout: Duration,
    client: Client,
}

thread_local! {
    static CLIENTS: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

impl ClientRecipe {
    /// A new client. HTTP/1.1 only, so that every call has its socket and dropping the call closes it.
    fn build(&self, connect_timeout: Duration) -> Client {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(KEEP_ALIVE));
        tcp.set_keepalive_retries(Some(KEEP_ALIVE_RETRIES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNCONFIRMED));
        let connector = HttpsConnector::from((tcp, Arc::clone(&self.tls)));
        PooledClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .build(TimedConnector { connector, timeout: connect_timeout })
    }

    /// The client of this recipe and connect timeout that belongs to the current runtime and thread; built at
    /// first use.
    ///
    /// Clients of upstreams that are gone are dropped when the next one is built.
    pub(super) fn local(self: &Arc<Self>, connect_timeout: Duration) -> Client {
        let runtime = Handle::current().id();
        CLIENTS.with_borrow_mut(|clients| {
            let mine = |local: &&Local| {
                local.runtime == runtime
                    && local.connect_timeout == connect_timeout
                    && local.recipe.as_ptr() == Arc::as_ptr(self)
            };
            if let Some(local) = clients.iter().find(mine) {
                return local.client.clone();
            }
            let client = self.build(connect_timeout);
            clients.retain(|local| local.recipe.strong_count() > 0);
            let recipe = Arc::downgrade(self);
            clients.push(Local { recipe, runtime, connect_timeout, client: client.clone() });
            client
        })
    }
}

/// Opens connections. Name, TCP and TLS have one timeout together.
#[derive(Clone)]
pub(super) struct TimedConnector {
    connector: HttpsConnector<HttpConnector>,
    timeout: Duration,
}

impl Service<Uri> for TimedConnector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(task)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connected = tokio::time::timeout(self.timeout, self.connector.call(address));
        Box::pin(async move { connected.await? })
    }
}
