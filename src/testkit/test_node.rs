//! A node for tests: a real database, a key ring, a user, and a puppet provider.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::watch;

use super::{FlakyStore, PuppetProvider, TestClient};
use crate::access::AccountService;
use crate::actors::{DeliveryMode, ProviderOptions};
use crate::clock::{Clock, SystemClock};
use crate::domain::{
    DisconnectPolicy, Encoding, Model, Prompt, Request, ResponseOptions, RetryPolicy, RunPlan, Target, ToolPolicy, View,
};
use crate::protocol::{ContentPart, Item, ItemId, ItemStatus, JsonObject, Message, ResponseId, Role, UserId};
use crate::store::{SqlStore, StoreOptions};
use crate::tokens::{TokenCounter, TokenError};
use crate::vault::{KeyRing, Vault};
use crate::{Antiphon, domain::Timestamp};

/// The options that tests of hung actors use: a hang is found within a second, and no stall of a busy
/// machine looks like one.
#[must_use]
pub fn impatient() -> ResponseOptions {
    let (heartbeat, hang_after) = (Duration::from_millis(100), Duration::from_millis(500));
    ResponseOptions { heartbeat, hang_after, ..ResponseOptions::default() }
}

/// A running node over a database of its own.
#[derive(Debug)]
pub struct TestNode {
    /// The node.
    pub antiphon: Antiphon,
    /// The store of the node.
    pub store: Arc<FlakyStore>,
    /// The provider that plans call.
    pub provider: PuppetProvider,
    /// Another provider, `spare`, for plans that have it as a fallback.
    pub spare: PuppetProvider,
    /// The user whose responses they are.
    pub user: UserId,
    /// The vault that opens the content of the store.
    pub vault: Vault,
    /// The database's address.
    pub url: String,
    /// Whether tokens are counted now; estimates wait while they are not.
    pub estimates: watch::Sender<bool>,
    accounts: Arc<SqlStore>,
    options: ResponseOptions,
    limits: ProviderOptions,
    _folder: TempDir,
}

/// An estimator of one token per word: cheap, and good enough to see that estimates arrive.
#[derive(Debug)]
struct WordCounter(watch::Receiver<bool>);

#[async_trait]
impl TokenCounter for WordCounter {
    async fn count(&self, _: Encoding, texts: &[&str]) -> Result<u64, TokenError> {
        // The node that holds the gate may be gone; then nothing waits for the count.
        let mut open = self.0.clone();
        let _gone = open.wait_for(|open| *open).await;
        Ok(texts.iter().map(|text| text.split_whitespace().count() as u64).sum())
    }
}

impl TestNode {
    /// A node over a fresh SQLite file.
    ///
    /// # Panics
    /// If it can't be started.
    pub async fn start(options: ResponseOptions) -> Self {
        // A test that wants a second attempt sets retries itself.
        let retry = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
        Self::start_limited(options, ProviderOptions { retry, ..ProviderOptions::default() }).await
    }

    /// A node over a fresh SQLite file, with limits for its provider.
    ///
    /// # Panics
    /// If it can't be started.
    pub async fn start_limited(options: ResponseOptions, limits: ProviderOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file: PathBuf = folder.path().join("antiphon.db");
        let url = format!("sqlite://{}", file.display());
        Self::start_on(url, folder, options, limits, PuppetProvider::default()).await
    }

    /// A node over a fresh SQLite file, with a provider whose calls can be reattached.
    ///
    /// # Panics
    /// If it can't be started.
    pub async fn start_reattachable(options: ResponseOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("antiphon.db").display());
        let retry = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
        let limits = ProviderOptions { retry, ..ProviderOptions::default() };
        Self::start_on(url, folder, options, limits, PuppetProvider::default().reattachable()).await
    }

    async fn start_on(
        url: String,
        folder: TempDir,
        options: ResponseOptions,
        limits: ProviderOptions,
        provider: PuppetProvider,
    ) -> Self {
        let sql = Arc::new(SqlStore::connect(StoreOptions::new(&url)).await.expect("a database"));
        sql.migrate().await.expect("the tables");
        let vault = Vault::new(KeyRing::generate().expect("a key ring"), sql.clone());
        let accounts = AccountService::new(sql.clone(), vault.clone());
        let user = accounts.create_user("somebody", SystemClock.now()).await.expect("a user").id;
        let store = Arc::new(FlakyStore::new(sql.clone()));
        let spare = PuppetProvider::default();
        let (estimates, gate) = watch::channel(true);
        let providers = [("puppet", &provider), ("spare", &spare)];
        let antiphon = start(NodeStorage { store: &store, vault: &vault }, gate, providers, &options, limits);
        Self {
            antiphon,
            store,
            provider,
            spare,
            user,
            vault,
            url,
            estimates,
            accounts: sql,
            options,
            limits,
            _folder: folder,
        }
    }

    /// Drops the running node and starts another one in its place. Anything that still holds a handle of the former
    /// node, a client for example, keeps it alive beside the new one.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn restart(&mut self) {
        let storage = NodeStorage { store: &self.store, vault: &self.vault };
        let providers = [("puppet", &self.provider), ("spare", &self.spare)];
        self.antiphon = start(storage, self.estimates.subscribe(), providers, &self.options, self.limits);
    }

    /// A plan for a stored, streamed response that is ended at once when its last client leaves.
    #[must_use]
    pub fn plan(&self) -> RunPlan {
        let id = ResponseId::new();
        let said = Item::Message(Message {
            id: ItemId::of_input("msg_", id, 0),
            role: Role::User,
            status: ItemStatus::Completed,
            content: vec![ContentPart::input_text("Say something.")],
            extra: JsonObject::new(),
        });
        RunPlan {
            id,
            user: self.user,
            request_id: format!("req_{}", id.uuid().simple()),
            request: Arc::new(Request::new("puppet", 2048)),
            input: vec![said.clone()],
            prompt: Arc::new(Prompt { instructions: None, items: vec![said] }),
            caller: "tester".to_owned(),
            targets: vec![Target::new("puppet", "puppet-1")],
            encoding: Encoding::default(),
            prompt_tokens: 2,
            disconnect: DisconnectPolicy::Cancel,
            resumable: true,
            tools: ToolPolicy::default(),
            idempotency: None,
        }
    }

    /// Starts a response and subscribes to it.
    ///
    /// # Panics
    /// If it is not admitted.
    pub async fn respond(&self, plan: RunPlan) -> TestClient {
        let id = plan.id;
        let mode = DeliveryMode::Events { view: View::default(), from: 0 };
        let reader = self.antiphon.respond(plan, mode).await.expect("the response is admitted");
        TestClient::new(self.antiphon.clone(), self.user, id, reader)
    }

    /// Reads a response from its first event on.
    ///
    /// # Panics
    /// If it can't be read.
    pub async fn replay(&self, id: ResponseId) -> TestClient {
        let mode = DeliveryMode::Events { view: View::default(), from: 0 };
        let reader = self.antiphon.subscribe(self.user, id, mode).await.expect("the response can be read");
        TestClient::new(self.antiphon.clone(), self.user, id, reader)
    }

    /// Another user.
    ///
    /// # Panics
    /// If there is one of that name.
    pub async fn add_user(&self, name: &str) -> UserId {
        let accounts = AccountService::new(self.accounts.clone(), self.vault.clone());
        accounts.create_user(name, SystemClock.now()).await.expect("a user").id
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// The store that a node runs over, and the vault that opens its content.
#[derive(Clone, Copy)]
struct NodeStorage<'a> {
    store: &'a Arc<FlakyStore>,
    vault: &'a Vault,
}

fn start(
    NodeStorage { store, vault }: NodeStorage<'_>,
    gate: watch::Receiver<bool>,
    providers: [(&str, &PuppetProvider); 2],
    options: &ResponseOptions,
    limits: ProviderOptions,
) -> Antiphon {
    let node = Antiphon::builder(store.whole(), vault.clone()).token_counter(WordCounter(gate));
    let node = providers
        .into_iter()
        .fold(node, |node, (name, provider)| node.provider_with_options(name, provider.clone(), limits));
    let model = Model::new("puppet", Target::new("puppet", "puppet-1"));
    node.model(model).responses(ResponseOptions { arbiters: 1, ..options.clone() }).start().expect("a node")
}
