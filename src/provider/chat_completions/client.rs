//! One HTTP client per runtime and thread: a socket belongs to the runtime that opened it.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;

use reqwest::{Client, redirect, retry};
use rustls::ClientConfig;
use tokio::runtime::{self, Handle};

use super::ChatCompletionsError;

/// What all clients of one upstream have in common.
#[derive(Debug)]
pub(super) struct ClientRecipe {
    pub(super) tls: ClientConfig,
    pub(super) connect_timeout: Duration,
}

struct Local {
    recipe: Weak<ClientRecipe>,
    runtime: runtime::Id,
    client: Client,
}

thread_local! {
    static CLIENTS: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

impl ClientRecipe {
    /// A new client: no redirects, no proxy of the environment, no cookies, no hidden second attempt.
    ///
    /// HTTP/1.1 only, so that every call has its socket and dropping the call closes it.
    pub(super) fn build(&self) -> Result<Client, ChatCompletionsError> {
        Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(self.connect_timeout)
            .build()
            .map_err(|error| ChatCompletionsError::Client { reason: error.to_string() })
    }

    /// The client of this recipe that belongs to the current runtime and thread; built at first use.
    ///
    /// Clients whose upstream is gone go with the next one that is built.
    pub(super) fn local(self: &Arc<Self>) -> Result<Client, ChatCompletionsError> {
        let runtime = Handle::current().id();
        CLIENTS.with_borrow_mut(|clients| {
            let mine = |local: &&Local| local.runtime == runtime && local.recipe.as_ptr() == Arc::as_ptr(self);
            if let Some(local) = clients.iter().find(mine) {
                return Ok(local.client.clone());
            }
            let client = self.build()?;
            clients.retain(|local| local.recipe.strong_count() > 0);
            clients.push(Local { recipe: Arc::downgrade(self), runtime, client: client.clone() });
            Ok(client)
        })
    }
}
