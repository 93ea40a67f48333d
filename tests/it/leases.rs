//! Leases: what a node that stands still, hangs or stops leaves to others, and what it may do after that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use antiphon::{
    Readiness, Refusal,
    actors::{ActorRole, DeliveryMode, Label, NodeFailure, supervision::Fault},
    domain::ResponseOptions,
    store::NodeStore,
    testkit::{Script, ScriptGate, ScriptedProvider, TestNode, impatient, postgres},
};
use sea_orm::{Database, DatabaseConnection};

use crate::support::{Client, Site, count, execute, row_id, texts};

/// How long a fact may take to appear before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than any test takes.
const LASTING: Duration = Duration::from_secs(600);

const REGISTRY: Label = Label::node(ActorRole::ResponseRegistry);

/// A lease that is over soon after its last renewal.
const SHORT: Duration = Duration::from_millis(1500);

/// A node with such a lease.
async fn short() -> TestNode {
    TestNode::start(ResponseOptions { lease: SHORT, ..impatient() }).await
}

/// The `nodes` table of a node, past its store.
struct Lease(DatabaseConnection);

impl Lease {
    async fn of(node: &TestNode) -> Self {
        Self(Database::connect(&node.url).await.unwrap())
    }

    async fn until(&self) -> i64 {
        count(&self.0, "SELECT lease_until FROM nodes WHERE node = 'antiphon'").await
    }

    async fn epoch(&self) -> i64 {
        count(&self.0, "SELECT epoch FROM nodes WHERE node = 'antiphon'").await
    }

    async fn lasts(&self) -> bool {
        self.until().await > self.now().await
    }

    /// Waits until several renewals are missing, and not one that a busy machine has delayed.
    async fn is_lost(&self) {
        let over = i64::try_from(SHORT.as_micros()).unwrap();
        eventually("the end of the lease", async || self.until().await + over < self.now().await).await;
    }

    async fn now(&self) -> i64 {
        count(&self.0, "SELECT CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)").await
    }

    /// Waits until the lease ends later than now.
    async fn is_renewed(&self) {
        let before = self.until().await;
        eventually("a renewal", async || self.until().await > before).await;
    }
}

/// Waits for a fact.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let seen = async { while !is_so().await {} };
    assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "{what} did not come");
}

async fn is_ready(node: &TestNode) -> bool {
    node.antiphon.readiness().await.unwrap() == Readiness::Ready
}

async fn started(node: &TestNode) {
    eventually("a registry", async || is_ready(node).await).await;
}

#[tokio::test]
async fn a_lease_is_renewed_under_the_epoch_of_a_registry_that_was_started_again() {
    let node = short().await;
    started(&node).await;
    let lease = Lease::of(&node).await;
    lease.is_renewed().await;
    let before = lease.epoch().await;
    node.antiphon.roster().inflict(REGISTRY, Fault::Panic).await;
    eventually("another epoch", async || lease.epoch().await > before).await;
    for _ in 0..2 {
        lease.is_renewed().await;
    }
    started(&node).await;
}

#[tokio::test]
async fn a_lease_is_renewed_again_when_the_database_is_back() {
    let node = short().await;
    started(&node).await;
    let lease = Lease::of(&node).await;
    node.store.go_away();
    lease.is_lost().await;
    node.store.come_back();
    eventually("a renewal", async || lease.lasts().await).await;
}

#[tokio::test]
async fn a_lease_is_renewed_again_after_its_store_panicked() {
    let node = short().await;
    started(&node).await;
    let renewals = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&renewals);
    node.store.before_renewals(move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { assert!(number >= 2, "a store with a bug") })
    });
    let later = async || {
        tokio::task::yield_now().await;
        renewals.load(Ordering::Relaxed) > 2
    };
    eventually("a renewal after two panics", later).await;
    Lease::of(&node).await.is_renewed().await;
    started(&node).await;
}

#[tokio::test]
async fn a_store_may_open_a_socket_where_a_lease_is_renewed() {
    let node = short().await;
    started(&node).await;
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    node.store.before_renewals(move || {
        let count = Arc::clone(&count);
        Box::pin(async move {
            tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        })
    });
    let seen = async || {
        tokio::task::yield_now().await;
        opened.load(Ordering::Relaxed) > 0
    };
    eventually("a socket", seen).await;
}

#[tokio::test]
async fn a_node_with_a_blocked_arbiter_loses_its_lease_and_can_not_go_on() {
    let node = short().await;
    let client = node.respond(node.plan()).await;
    let lease = Lease::of(&node).await;
    lease.is_renewed().await;
    node.antiphon.roster().inflict(Label::of(ActorRole::ResponseSupervisor, client.id), Fault::Block).await;
    lease.is_lost().await;
    let failed = tokio::time::timeout(PATIENCE, node.antiphon.failed()).await;
    assert_eq!(failed, Ok(NodeFailure::LeaseLost));
}

#[tokio::test]
async fn a_node_without_a_lease_takes_no_response_and_is_not_ready() {
    let node = short().await;
    started(&node).await;
    node.store.before_renewals(|| Box::pin(std::future::pending()));
    eventually("the end of the lease", async || node.antiphon.readiness().await.unwrap() == Readiness::NoLease).await;
    let refused = node.antiphon.respond(node.plan(), DeliveryMode::Ending).await;
    assert_eq!(refused.unwrap_err(), Refusal::NoLease);
}

#[tokio::test]
async fn a_node_whose_own_thread_hangs_can_not_go_on_and_loses_its_lease() {
    let node = short().await;
    started(&node).await;
    node.antiphon.roster().inflict(Label::node(ActorRole::NodeGuardian), Fault::Block).await;
    let failed = tokio::time::timeout(PATIENCE, node.antiphon.failed()).await;
    assert_eq!(failed, Ok(NodeFailure::Hung));
    let lease = Lease::of(&node).await;
    lease.is_lost().await;
}

#[tokio::test]
async fn a_node_whose_name_another_process_takes_can_not_go_on_and_leaves_the_lease_alone() {
    let node = short().await;
    started(&node).await;
    let epoch = node.store.next_epoch("antiphon", LASTING).await.unwrap();
    let failed = tokio::time::timeout(PATIENCE, node.antiphon.failed()).await;
    assert_eq!(failed, Ok(NodeFailure::Superseded));
    let refused = node.antiphon.respond(node.plan(), DeliveryMode::Ending).await;
    assert_eq!(refused.unwrap_err(), Refusal::NodeFailed);
    node.antiphon.roster().wait_until_empty(PATIENCE).await.unwrap();
    node.antiphon.drain(Duration::ZERO).await;
    let lease = Lease::of(&node).await;
    assert!(lease.lasts().await);
    assert!(node.store.renew_lease("antiphon", epoch, LASTING).await.unwrap());
}

#[tokio::test]
async fn a_node_that_drained_has_no_lease() {
    let node = TestNode::start(ResponseOptions { lease: LASTING, ..ResponseOptions::default() }).await;
    started(&node).await;
    let lease = Lease::of(&node).await;
    assert!(lease.lasts().await);
    node.antiphon.drain(Duration::ZERO).await;
    assert!(!lease.lasts().await);
}

#[tokio::test]
async fn a_node_that_is_dropped_lets_go_of_its_store() {
    let node = short().await;
    started(&node).await;
    let store = Arc::downgrade(&node.store);
    drop(node);
    eventually("the end of all threads", async || {
        tokio::task::yield_now().await;
        store.upgrade().is_none()
    })
    .await;
}

/// Two servers with one database that find a lost lease within seconds, and the models `waits` and `quick`.
fn two_sites(gate: &ScriptGate) -> (ScriptedProvider, Site) {
    let provider = ScriptedProvider::start();
    let begun = Script::new().text("Once ").text("upon ").text("a time").pause_until(gate);
    provider.script("waits", begun.text(" it ended").finish("stop").usage(5, 6).done());
    provider.script("quick", Script::answer(["Hello"]));
    let site = Site::with_models(&provider, &["waits", "quick"])
        .config("[responses]\nlease = \"2s\"\nheartbeat = \"100ms\"")
        .on(&postgres::fresh_database());
    (provider, site)
}

/// Everything that the database has of a response.
async fn record(db: &DatabaseConnection, id: &str) -> Vec<String> {
    let id = row_id(id);
    let mut rows = Vec::new();
    for (table, key) in
        [("responses", "uuid"), ("segments", "response"), ("items", "response"), ("usage_records", "response")]
    {
        let sql = format!("SELECT '{table} ' || t::text FROM {table} t WHERE {key} = '{id}' ORDER BY 1");
        rows.extend(texts(db, &sql).await);
    }
    rows
}

async fn is_failed(client: &Client, id: &str) -> bool {
    client.retrieve(id).await.json()["status"] == "failed"
}

#[tokio::test]
async fn a_server_that_stands_still_loses_its_responses_and_its_late_writes_change_nothing() {
    let gate = ScriptGate::new();
    let (_provider, one) = two_sites(&gate);
    let first = one.start().await;
    let two = one.beside();
    let second = two.start().await;
    let mut stream = first.client().stream("waits", "Tell.").await;
    stream.read_until_text("a time").await;
    let (id, seen) = (stream.id(), stream.text());

    first.pause();
    let other = second.client();
    eventually("a settled response", async || is_failed(&other, &id).await).await;
    let settled = other.retrieve(&id).await;
    assert_eq!(settled.json()["error"]["code"], "server_error");
    assert_eq!(settled.output_text(), seen);
    let db = one.script().await;
    let cause = format!("SELECT cause FROM responses WHERE uuid = '{}'", row_id(&id));
    assert_eq!(texts(&db, &cause).await, ["server_interrupted"]);
    let before = record(&db, &id).await;
    assert_eq!(before.iter().filter(|row| row.starts_with("usage_records ")).count(), 1);

    gate.open();
    first.unpause();
    first.logged("another owner has the response").await;
    let last = stream.read_all().await;
    assert_eq!((&last["type"], &last["response"]), (&"response.failed".into(), &settled.json()));
    assert_eq!(stream.text(), seen);
    let fresh = "SELECT COUNT(*) FROM nodes WHERE lease_until > EXTRACT(EPOCH FROM clock_timestamp()) * 1000000";
    eventually("two leases", async || count(&db, fresh).await == 2).await;
    let next = first.client().create(&serde_json::json!({ "model": "quick", "input": "Hi." })).await;
    assert_eq!((next.status, next.output_text().as_str()), (200, "Hello"));
    assert_eq!(record(&db, &id).await, before);
}

#[tokio::test]
async fn a_server_leaves_the_responses_of_another_that_works_alone() {
    let gate = ScriptGate::new();
    let (_provider, one) = two_sites(&gate);
    let first = one.start().await;
    let two = one.beside();
    let second = two.start().await;
    let mut stream = first.client().stream("waits", "Tell.").await;
    stream.read_until_text("a time").await;
    let db = one.script().await;
    // Longer than a lease, and so than the time between two sweeps of the other.
    let oldest = "SELECT MIN(lease_until) FROM nodes";
    let begun = count(&db, oldest).await;
    eventually("renewals", async || count(&db, oldest).await > begun + 3_000_000).await;
    gate.open();
    assert_eq!(stream.read_all().await["type"], "response.completed");
    assert_eq!(second.client().retrieve(&stream.id()).await.output_text(), "Once upon a time it ended");
}

#[tokio::test]
async fn a_server_whose_name_another_process_takes_ends_with_an_error_that_says_so() {
    let (_provider, site) = two_sites(&ScriptGate::new());
    let server = site.start().await;
    let db = site.script().await;
    execute(&db, "UPDATE nodes SET epoch = epoch + 1", vec![]).await;
    let (status, log) = server.ended().await;
    assert!(!status.success());
    assert!(log.contains("the server can't go on: another process serves under this node's name"), "{log}");
}
