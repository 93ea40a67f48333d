//! One HTTP client per runtime and thread: a socket belongs to the runtime that opened it.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;

use reqwest::{Client, redirect, retry};
use rustls::ClientConfig;
use tokio::runtime::{self, Handle};

use super::UpstreamError;

/// The settings that all clients of one upstream share.
#[derive(Debug)]
pub(super) struct ClientRecipe {
    pub(super) tls: ClientConfig,
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
    /// A new client: no redirects, no proxy of the environment, no cookies, no hidden second attempt.
    ///
    /// HTTP/1.1 only, so that every call has its socket and dropping the call closes it.
    pub(super) fn build(&self, connect_timeout: Duration) -> Result<Client, UpstreamError> {
        Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(connect_timeout)
            .build()
            .map_err(|error| UpstreamError::Client { reason: error.to_string() })
    }

    /// The client of this recipe and connect timeout that belongs to the current runtime and thread; built at
    /// first use.
    ///
    /// Clients of upstreams that are gone are dropped when the next one is built.
    pub(super) fn local(self: &Arc<Self>, connect_timeout: Duration) -> Result<Client, UpstreamError> {
        let runtime = Handle::current().id();
        CLIENTS.with_borrow_mut(|clients| {
            let mine = |local: &&Local| {
                local.runtime == runtime
                    && local.connect_timeout == connect_timeout
                    && local.recipe.as_ptr() == Arc::as_ptr(self)
            };
            if let Some(local) = clients.iter().find(mine) {
                return Ok(local.client.clone());
            }
            let client = self.build(connect_timeout)?;
            clients.retain(|local| local.recipe.strong_count() > 0);
            let recipe = Arc::downgrade(self);
            clients.push(Local { recipe, runtime, connect_timeout, client: client.clone() });
            Ok(client)
        })
    }
}
