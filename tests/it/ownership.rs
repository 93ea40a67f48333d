//! One owner: what a node does with responses that are not its own, or of which nobody knows whether they run.

use std::{sync::Arc, time::Duration};

use antiphon::{
    Refusal,
    actors::{ActorRole, DeliveryMode, Label, supervision::Fault},
    domain::{Cause, Idempotency, Request, ResponseOptions, RunPlan, Timestamp, View},
    protocol::{ResponseId, Status},
    store::{AdmissionRecord, JournalEntry, ResponseRow, ResponseStore},
    testkit::{Script, ScriptGate, ScriptedProvider, TestNode, impatient, postgres},
};
use reqwest::Method;
use sea_orm::{DatabaseTransaction, TransactionTrait};
use serde_json::json;

use crate::support::{Answer, Client, Events, Running, Site, until_text};

/// Nobody's patience with a busy machine ends before this.
const PATIENCE: Duration = Duration::from_secs(30);

async fn ended(node: &TestNode, id: ResponseId) -> (Status, Option<Cause>) {
    let ended = async {
        loop {
            let row = node.store.response(id).await.unwrap();
            if let Some(row) = row.filter(|row| row.status.is_terminal()) {
                return (row.status, row.cause);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap()
}

/// A node whose thread is blocked by the supervisor of a response.
async fn blocked() -> (TestNode, ResponseId) {
    let patience = Duration::from_millis(500);
    let options = ResponseOptions { admission_patience: patience, outage_patience: patience, ..impatient() };
    let node = TestNode::start(options).await;
    let client = node.respond(node.plan()).await;
    let id = client.id;
    let supervisor = Label::of(ActorRole::ResponseSupervisor, id);
    assert_eq!(node.antiphon.roster().inflict(supervisor, Fault::Block).await, 1);
    (node, id)
}

#[tokio::test]
async fn a_response_that_would_begin_on_a_blocked_thread_is_refused_and_gives_its_slots_back() {
    let (node, _id) = blocked().await;
    let mut plan = node.plan();
    let id = plan.id;
    let asked = tokio::time::timeout(PATIENCE, node.antiphon.respond(plan.clone(), DeliveryMode::Ending));
    assert_eq!(asked.await.unwrap().unwrap_err(), Refusal::NotResponding);
    assert_eq!(node.store.response(id).await.unwrap(), None);
    let gate = node.antiphon.providers()["puppet"].gate;
    assert_eq!((gate.running, gate.waiting), (1, 0), "that of the response whose thread is blocked");
    assert_eq!(node.antiphon.roster().live().iter().filter(|label| label.response == Some(id)).count(), 0);

    // From now on nothing is started there.
    (plan.id, plan.request) = (ResponseId::new(), Arc::new(Request { background: true, ..(*plan.request).clone() }));
    let refused = node.antiphon.respond(plan, DeliveryMode::Ending).await;
    assert_eq!(refused.unwrap_err(), Refusal::NotResponding);
}

#[tokio::test]
async fn whoever_asks_for_a_response_on_a_blocked_thread_is_answered_in_time() {
    let (node, id) = blocked().await;
    let (antiphon, user) = (&node.antiphon, node.user);
    let answers = async {
        tokio::join!(
            antiphon.subscribe(user, id, DeliveryMode::Ending),
            antiphon.cancel(user, id),
            antiphon.delete(user, id)
        )
    };
    let (read, cancelled, deleted) = tokio::time::timeout(PATIENCE, answers).await.unwrap();
    assert_eq!((read.unwrap_err(), cancelled.unwrap_err()), (Refusal::NotResponding, Refusal::NotResponding));
    // By then it was ended without its supervisor.
    assert_eq!(deleted, Ok(()));
    assert_eq!(node.store.response(id).await.unwrap(), None);
}

#[tokio::test]
async fn a_response_of_the_present_epoch_that_nobody_runs_is_ended() {
    let node = TestNode::start(ResponseOptions { lease: Duration::from_secs(3), ..impatient() }).await;
    let running = node.respond(node.plan()).await;
    let row = node.store.response(running.id).await.unwrap().unwrap();
    let ghost = ResponseRow { id: ResponseId::new(), stored: false, created_at: Timestamp::from_micros(1), ..row };
    let id = ghost.id;
    let admission = AdmissionRecord { row: ghost, items: Vec::new(), segment: None, idempotency: None };
    node.antiphon.journal().write(JournalEntry::Admit(Box::new(admission))).await;
    assert_eq!(ended(&node, id).await, (Status::Failed, Some(Cause::ServerInterrupted)));
    assert_eq!(node.store.response(running.id).await.unwrap().unwrap().status, Status::InProgress);
}

/// A plan with an idempotency key, and one that repeats its request.
fn repeated(node: &TestNode) -> (RunPlan, RunPlan) {
    let mut plan = node.plan();
    plan.idempotency = Some(Idempotency { key: [7; 32], fingerprint: [7; 32] });
    let again = RunPlan { id: ResponseId::new(), ..plan.clone() };
    (plan, again)
}

#[tokio::test]
async fn a_supervisor_that_fails_before_any_client_saw_anything_gives_the_idempotency_key_back() {
    let node = TestNode::start(impatient()).await;
    let (silent, again) = repeated(&node);
    for (plan, says) in [(silent, None), (again, Some("Hello"))] {
        let id = plan.id;
        let mut client = node.respond(plan).await;
        let call = node.provider.asked().await;
        if let Some(text) = says {
            call.open();
            call.text(text);
            client.read_until(text).await;
        }
        node.antiphon.roster().inflict(Label::of(ActorRole::ResponseSupervisor, id), Fault::Panic).await;
        assert_eq!(ended(&node, id).await, (Status::Failed, Some(Cause::InternalError)));
    }
    let (_, third) = repeated(&node);
    let refused = node.antiphon.respond(third, DeliveryMode::Ending).await.unwrap_err();
    assert_eq!(refused, Refusal::IdempotencyKeyInUse, "the second one had output");
}

#[tokio::test]
async fn the_call_of_an_unstored_response_that_lost_its_supervisor_is_ended_at_its_provider() {
    let node = TestNode::start_reattachable(impatient()).await;
    let mut plan = node.plan();
    plan.request = Arc::new(Request { store: false, ..(*plan.request).clone() });
    let supervisor = Label::of(ActorRole::ResponseSupervisor, plan.id);
    let mut client = node.respond(plan).await;
    let call = node.provider.asked().await;
    call.open_as("up_1");
    call.text("Hello");
    client.read_until("Hello").await;
    node.antiphon.roster().inflict(supervisor, Fault::Panic).await;
    tokio::time::timeout(PATIENCE, node.provider.wait_until_cancelled("up_1")).await.unwrap();
}

#[tokio::test]
async fn a_run_whose_response_has_another_owner_ends_though_it_has_nothing_to_write() {
    let node = TestNode::start(ResponseOptions { lease: Duration::from_secs(3), ..impatient() }).await;
    let _kept = node.respond(node.plan()).await;
    let kept = node.provider.asked().await;
    let _lost = node.respond(node.plan()).await;
    let silent = node.provider.asked().await;
    let db = sea_orm::Database::connect(&node.url).await.unwrap();
    let latest = "created_at = (SELECT MAX(created_at) FROM responses)";
    let taken = format!("UPDATE responses SET node = 'other', epoch = epoch + 9 WHERE {latest}");
    let updated = sea_orm::ConnectionTrait::execute_unprepared(&db, &taken).await.unwrap();
    assert_eq!(updated.rows_affected(), 1);
    tokio::time::timeout(PATIENCE, silent.closed()).await.unwrap();
    kept.open();
    kept.wait_until_heard(1).await;
}

const LEASE: &str = "[responses]\nlease = \"3s\"\nheartbeat = \"100ms\"";

/// Two servers with one database, and the models `waits` and `quick`.
struct Two {
    first: Running,
    second: Running,
    site: Site,
    _sites: Site,
    _provider: ScriptedProvider,
}

impl Two {
    async fn start(gate: &ScriptGate) -> Self {
        let provider = ScriptedProvider::start();
        let begun = Script::new().text("Once ").text("upon ").text("a time");
        provider.script("waits", begun.pause_until(gate).text(" it ended").finish("stop").usage(5, 6).done());
        provider.script("quick", Script::answer(["Hello"]));
        let site = Site::with_models(&provider, &["waits", "quick"]).config(LEASE).on(&postgres::fresh_database());
        let first = site.start().await;
        let beside = site.beside();
        let second = beside.start().await;
        Self { first, second, site, _sites: beside, _provider: provider }
    }

    /// Has no renewal of the owner's lease succeed, or of all others', for as long as the transaction lasts.
    async fn without_renewals(&self, of: &str) -> DatabaseTransaction {
        let transaction = self.site.script().await.begin().await.unwrap();
        let sql = format!("SELECT 1 FROM nodes WHERE node {of} (SELECT node FROM responses LIMIT 1) FOR UPDATE");
        sea_orm::ConnectionTrait::execute_unprepared(&transaction, &sql).await.unwrap();
        transaction
    }
}

#[tokio::test]
async fn a_client_of_an_unstored_response_that_lost_its_supervisor_is_told_that_it_was_interrupted() {
    let node = TestNode::start(impatient()).await;
    let mut plan = node.plan();
    plan.request = Arc::new(Request { store: false, ..(*plan.request).clone() });
    let id = plan.id;
    let events = DeliveryMode::Events { view: View::default(), from: 0 };
    let stream = node.antiphon.respond(plan, events).await.unwrap();
    let mut subscription = node.antiphon.subscription(node.user, stream);
    node.antiphon.roster().inflict(Label::of(ActorRole::ResponseSupervisor, id), Fault::Panic).await;
    let told = async {
        loop {
            if let Err(refusal) = subscription.recv().await.unwrap() {
                return refusal;
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, told).await.unwrap(), Refusal::Interrupted);
    assert_eq!(ended(&node, id).await, (Status::Failed, Some(Cause::InternalError)));
    assert_eq!(node.antiphon.subscribe(node.user, id, events).await.unwrap_err(), Refusal::NotFound);
}

/// How many leases last.
const LEASES: &str =
    "SELECT CAST(COUNT(*) AS TEXT) FROM nodes WHERE lease_until > EXTRACT(EPOCH FROM clock_timestamp()) * 1000000";

#[tokio::test]
async fn a_request_takes_no_response_from_another_server_that_renews_its_lease_later() {
    let gate = ScriptGate::new();
    let two = Two::start(&gate).await;
    let (owner, other) = (two.first.client(), two.second.client());
    let body = json!({ "model": "waits", "input": "Tell.", "stream": true });
    let keyed = |client: &Client| client.creation(&body).header("idempotency-key", "once");
    let mut stream = Events::of(keyed(&owner)).await;
    stream.read_until_text("a time").await;
    let (id, db) = (stream.id(), two.site.script().await);

    // The database is away for longer than a lease, and the other server is the first to be back.
    let others = two.without_renewals("<>").await;
    let owners = two.without_renewals("=").await;
    until_text(&db, LEASES, "0").await;
    others.rollback().await.unwrap();
    until_text(&db, LEASES, "1").await;
    // It has renewed it once, so that it may take over nothing, however slow the machine is.
    let others = two.without_renewals("<>").await;
    let replay = other.request(Method::GET, &format!("/v1/responses/{id}?stream=true"));
    for request in [
        replay,
        other.request(Method::POST, &format!("/v1/responses/{id}/cancel")),
        other.request(Method::DELETE, &format!("/v1/responses/{id}")),
        keyed(&other),
    ] {
        let refused = Answer::of(request).await;
        assert_eq!(refused.error(), (503, Some("response_on_another_server".to_owned()), None));
        assert_eq!(refused.header("retry-after"), "1");
    }
    owners.rollback().await.unwrap();
    others.rollback().await.unwrap();
    until_text(&db, LEASES, "2").await;
    gate.open();
    assert_eq!(stream.read_all().await["type"], "response.completed");
    assert_eq!(other.retrieve(&id).await.output_text(), "Once upon a time it ended");
}

#[tokio::test]
async fn a_server_that_stood_still_takes_nothing_before_it_has_a_lease_again() {
    let two = Two::start(&ScriptGate::new()).await;
    let client = two.first.client();
    let quick = json!({ "model": "quick", "input": "Hi." });
    assert_eq!(client.create(&quick).await.status, 200);
    let db = two.site.script().await;
    let renewals = two.without_renewals("=").await;
    two.first.pause();
    until_text(&db, LEASES, "1").await;
    two.first.unpause();
    let refused = client.create(&quick).await;
    assert_eq!(refused.error(), (503, Some("server_is_overloaded".to_owned()), None));
    assert_eq!(refused.header("retry-after"), "1");
    let unready = client.get("/health/ready").await;
    assert_eq!(unready.status, 503);
    assert!(unready.text.contains("it has lost its lease"), "{}", unready.text);
    assert_eq!(client.get("/health/live").await.status, 200);
    renewals.rollback().await.unwrap();
    until_text(&db, LEASES, "2").await;
    while client.get("/health/ready").await.status != 200 {}
    assert_eq!(client.create(&quick).await.output_text(), "Hello");
}
