//! A node for tests: a real database, a key ring, a user, and a provider on strings.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::sync::watch;

use super::{FlakyStore, PuppetProvider, TestClient};
use crate::access::AccountService;
use crate::actors::{EstimateTokens, ProviderLimits, Settings, Wish};
use crate::clock::{Clock, SystemClock};
use crate::domain::{DisconnectPolicy, Encoding, Plan, Prompt, Request, RetryPolicy, Target, View};
use crate::protocol::{ContentPart, Extra, Item, ItemId, ItemStatus, Message, ResponseId, Role, UserId};
use crate::store::{SqlOptions, SqlStore, Store};
use crate::vault::{KeyRing, Vault};
use crate::{Antiphon, domain::Timestamp};

/// The settings that tests of hung actors use: a hang is found within a second, and no stall of a busy
/// machine looks like one.
#[must_use]
pub fn impatient() -> Settings {
    Settings { heartbeat: Duration::from_millis(100), missed_beats: 5, ..Settings::default() }
}

/// A running node over a database of its own.
#[derive(Debug)]
pub struct TestNode {
    /// The node.
    pub antiphon: Antiphon,
    /// What the node takes for its store.
    pub store: Arc<FlakyStore>,
    /// The provider that plans call.
    pub provider: PuppetProvider,
    /// Another one, `spare`, that they fall back to if told so.
    pub spare: PuppetProvider,
    /// The user whose the responses are.
    pub user: UserId,
    /// What opens what the store has.
    pub vault: Vault,
    /// The database's address.
    pub url: String,
    /// Whether tokens are counted now; estimates wait while they are not.
    pub estimates: watch::Sender<bool>,
    accounts: Arc<SqlStore>,
    _folder: TempDir,
}

/// One token per word: cheap, and good enough to see that estimates arrive.
#[derive(Debug)]
struct WordCounter(watch::Receiver<bool>);

impl EstimateTokens for WordCounter {
    fn estimate(&self, _: Encoding, text: String) -> BoxFuture<'static, u64> {
        let mut open = self.0.clone();
        Box::pin(async move {
            // The node that holds the gate may be gone; nobody waits for the count then.
            let _gone = open.wait_for(|open| *open).await;
            text.split_whitespace().count() as u64
        })
    }
}

impl TestNode {
    /// A node over a fresh SQLite file.
    ///
    /// # Panics
    /// If it can't be started.
    pub async fn start(settings: Settings) -> Self {
        // A test that wants a second attempt says so.
        let retry = RetryPolicy { most_retries: 0, ..RetryPolicy::default() };
        Self::start_limited(settings, ProviderLimits { retry, ..ProviderLimits::default() }).await
    }

    /// The same with limits for its provider.
    ///
    /// # Panics
    /// If it can't be started.
    pub async fn start_limited(settings: Settings, limits: ProviderLimits) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file: PathBuf = folder.path().join("antiphon.db");
        let url = format!("sqlite://{}", file.display());
        Self::start_on(url, folder, settings, limits).await
    }

    async fn start_on(url: String, folder: TempDir, settings: Settings, limits: ProviderLimits) -> Self {
        let sql = Arc::new(SqlStore::connect(SqlOptions::new(&url)).await.expect("a database"));
        sql.migrate().await.expect("the tables");
        let vault = Vault::new(KeyRing::generate().expect("a key ring"), sql.clone());
        let accounts = AccountService::new(sql.clone(), vault.clone());
        let user = accounts.create_user("somebody", SystemClock.now()).await.expect("a user").id;
        let store = Arc::new(FlakyStore::new(sql.clone() as Arc<dyn Store>));
        let (provider, spare) = (PuppetProvider::default(), PuppetProvider::default());
        let (estimates, gate) = watch::channel(true);
        let antiphon = Antiphon::builder(store.clone(), vault.clone(), Arc::new(WordCounter(gate)))
            .limited_provider("puppet", Arc::new(provider.clone()), limits)
            .limited_provider("spare", Arc::new(spare.clone()), limits)
            .settings(settings)
            .arbiters(1)
            .start()
            .expect("a node");
        Self { antiphon, store, provider, spare, user, vault, url, estimates, accounts: sql, _folder: folder }
    }

    /// A plan for a stored, streamed response that is ended at once when its last client leaves.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let id = ResponseId::new();
        let said = Item::Message(Message {
            id: ItemId::of_input("msg_", id, 0),
            role: Role::User,
            status: ItemStatus::Completed,
            content: vec![ContentPart::InputText { text: "Say something.".to_owned() }],
            extra: Extra::new(),
        });
        Plan {
            id,
            user: self.user,
            request_id: format!("req_{}", id.uuid().simple()),
            request: Request::new("puppet", 2048),
            input: vec![said.clone()],
            prompt: Prompt { instructions: None, items: vec![said] },
            caller: "tester".to_owned(),
            targets: vec![Target::new("puppet", "puppet-1")],
            encoding: Encoding::default(),
            prompt_tokens: 2,
            disconnect: DisconnectPolicy::Cancel,
            resumable: true,
        }
    }

    /// Starts a response and listens to it.
    ///
    /// # Panics
    /// If it is not admitted.
    pub async fn respond(&self, plan: Plan) -> TestClient {
        let id = plan.id;
        let wish = Wish::Events { view: View::default(), from: 0 };
        let reader = self.antiphon.respond(plan, wish).await.expect("the response is admitted");
        TestClient::new(self.antiphon.clone(), self.user, id, reader)
    }

    /// Reads a response from its first event on.
    ///
    /// # Panics
    /// If it can't be read.
    pub async fn replay(&self, id: ResponseId) -> TestClient {
        let wish = Wish::Events { view: View::default(), from: 0 };
        let reader = self.antiphon.subscribe(self.user, id, wish).await.expect("the response can be read");
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
