//! A node of the library behind a socket, with a provider of the test's choice.

use std::{net::TcpListener, sync::Arc, sync::mpsc, thread, time::Duration};

use actix_web::dev::ServerHandle;
use antiphon::{
    Antiphon, Clock, SystemClock,
    access::{AccountService, Authenticator},
    actors::{DeliveryMode, ProviderOptions},
    admission::{Model, RequestContext},
    domain::{DisconnectMode, Encoding, Fact, ResponseOptions, RetryPolicy, Target, View},
    http::{HttpOptions, HttpState, ServerOptions, serve},
    journal::Log,
    protocol::{CreateResponse, FunctionTool, ResponseId, Tool, UserId},
    provider::Provider,
    store::{ResponseRow, ResponseStore, SqlStore, StoreOptions},
    tokens::{TokenCounter, TokenError},
    vault::{KeyRing, Vault},
};
use async_trait::async_trait;
use tempfile::TempDir;

use super::{capture::PATIENCE, client::Client};

/// A node that listens. Its one model is `m`; what fails is not tried again.
pub(crate) struct Served {
    pub(crate) url: String,
    pub(crate) key: String,
    store: Arc<SqlStore>,
    vault: Vault,
    user: UserId,
    antiphon: Antiphon,
    server: ServerHandle,
    _folder: TempDir,
}

/// No text has tokens: tests of what is said need no vocabulary.
#[derive(Debug)]
struct Uncounted;

#[async_trait]
impl TokenCounter for Uncounted {
    async fn count(&self, _: Encoding, _: &[&str]) -> Result<u64, TokenError> {
        Ok(0)
    }
}

impl Served {
    /// Starts it on a free port, over a database of its own.
    pub(crate) async fn start(provider: impl Provider) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("antiphon.db").display());
        let store = Arc::new(SqlStore::connect(StoreOptions::new(&url)).await.unwrap());
        store.migrate().await.unwrap();
        let vault = Vault::new(KeyRing::generate().unwrap(), store.clone());
        let accounts = AccountService::new(store.clone(), vault.clone());
        let user = accounts.create_user("somebody", SystemClock.now()).await.unwrap().id;
        let key = accounts.create_key(user, "tests", SystemClock.now()).await.unwrap().expose().to_owned();
        let retry = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
        let limits = ProviderOptions { retry, ..ProviderOptions::default() };
        let antiphon = Antiphon::builder(store.clone(), vault.clone())
            .provider_with_options("upstream", provider, limits)
            .model(model())
            .token_counter(Uncounted)
            .responses(ResponseOptions { grace: Duration::from_secs(60), arbiters: 1, ..ResponseOptions::default() })
            .start()
            .unwrap();
        let authenticator = Authenticator::new(store.clone(), vault.pepper());
        let state = HttpState::new(&antiphon, authenticator, HttpOptions::default());
        let (url, server) = listen(state);
        Self { url, key, store, vault, user, antiphon, server, _folder: folder }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, &self.key)
    }

    /// Starts a response as embedders do, with functions that the model may call, and lets it go on alone.
    pub(crate) async fn respond(&self, input: &str, functions: &[&str]) -> String {
        let (request_id, caller) = ("req_embedded".to_owned(), "tests".to_owned());
        let context =
            RequestContext { request_id, caller, disconnect: Some(DisconnectMode::Continue), idempotency: None };
        let create = CreateResponse::text("m", input);
        let mut plan = self.antiphon.admission().plan(self.user, create, context).await.unwrap().plan;
        Arc::make_mut(&mut plan.request).tools = functions.iter().map(|name| function(name)).collect();
        let mode = DeliveryMode::Events { view: View::default(), from: 0 };
        self.antiphon.respond(plan, mode).await.unwrap().id.to_string()
    }

    /// All facts of a stored response.
    pub(crate) async fn facts(&self, id: &str) -> Vec<Fact> {
        let id: ResponseId = id.parse().unwrap();
        let key = self.vault.user_key(self.user).await.unwrap().response_key(id);
        let log = Log::new(self.store.clone(), key, id);
        let mut facts = Vec::new();
        loop {
            let page = log.page(facts.len() as u64).await.unwrap();
            if page.is_empty() {
                return facts;
            }
            facts.extend(page);
        }
    }

    /// The record of a response, once that says how it ended.
    pub(crate) async fn ended(&self, id: &str) -> ResponseRow {
        let id: ResponseId = id.parse().unwrap();
        let ended = async {
            loop {
                let row = self.store.response(id).await.unwrap();
                if let Some(row) = row.filter(|row| row.status.is_terminal()) {
                    return row;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Told when called; nobody has to wait for it.
        drop(self.server.stop(false));
    }
}

fn function(name: &str) -> Tool {
    Tool::Function(FunctionTool { name: name.to_owned(), description: None, parameters: None, strict: None })
}

fn model() -> Model {
    Model {
        context_window: 100_000,
        default_output_tokens: Some(1_000),
        owned_by: "tests".to_owned(),
        created: 1,
        ..Model::new("m", Target::new("upstream", "m"))
    }
}

/// Serves on a thread of its own, so that no test holds it up.
fn listen(state: HttpState) -> (String, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let server = serve(listener, state, &ServerOptions { workers: 1, ..ServerOptions::default() }).unwrap();
            tell.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    (url, told.recv().unwrap())
}
