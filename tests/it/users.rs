//! Users who are deleted while they are busy: nothing that must stay is lost, and nothing that must go stays.

use antiphon::{
    Refusal,
    actors::DeliveryMode,
    domain::{ResponseOptions, RunPlan, View, Violation},
    store::{CommitOutcome, GroupCommit as _, JournalEntry, SqlStore, StoreOptions},
    testkit::{Script, ScriptGate, ScriptedProvider, TestNode, postgres},
};
use sea_orm::{Database, DatabaseConnection};
use serde_json::json;

use crate::support::{Client, Site, count, texts};

/// What a user leaves behind in the tables that hold what is the user's own.
async fn left(db: &DatabaseConnection) -> Vec<(&'static str, i64)> {
    let tables = ["users", "user_keys", "api_keys", "idempotency_keys", "responses", "items", "segments"];
    let mut left = Vec::new();
    for table in tables {
        left.push((table, count(db, &format!("SELECT COUNT(*) FROM {table}")).await));
    }
    left.retain(|(_, rows)| *rows > 0);
    left
}

/// Runs `antiphon users delete` while the test goes on.
async fn delete(site: Site, user: &'static str) -> (Site, String) {
    tokio::task::spawn_blocking(move || {
        let said = site.run(&["users", "delete", user]);
        (site, said)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_deleted_beside_two_servers_has_each_stream_ended_and_its_usage_kept() {
    let (provider, gate) = (ScriptedProvider::start(), ScriptGate::new());
    provider.script("m", Script::new().text("Once").pause_until(&gate).done());
    let one = Site::with_models(&provider, &["m"]).on(&postgres::fresh_database());
    let first = one.start().await;
    let two = one.beside();
    let second = two.start().await;
    let (near, far) = (first.client(), Client::new(&second.url, &first.key));
    let mut streams = [near.stream("m", "Tell.").await, far.stream("m", "Tell.").await];
    for stream in &mut streams {
        stream.read_until_text("Once").await;
    }
    let db = one.script().await;
    let (_site, said) = delete(one, "default").await;
    assert!(said.contains("waiting for 2 responses") && said.contains("is deleted"), "{said}");
    for stream in &mut streams {
        let last = stream.read_all().await;
        let ends = stream.data().iter().filter(|event| event["response"]["status"] == "cancelled").count();
        assert_eq!((&last["response"]["status"], ends), (&json!("cancelled"), 1), "{last}");
    }
    for number in [1, 2] {
        provider.connection_closed(number).await;
    }
    assert_eq!(count(&db, "SELECT COUNT(*) FROM usage_records").await, 2);
    assert_eq!(left(&db).await, []);
    assert_eq!(near.create(&json!({ "model": "m", "input": "Tell." })).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_deleted_while_no_server_runs_leaves_an_estimate_of_what_was_running() {
    let (provider, gate) = (ScriptedProvider::start(), ScriptGate::new());
    provider.script("m", Script::new().text("Once").pause_until(&gate).done());
    let site = Site::with_models(&provider, &["m"]).config("[responses]\nlease = \"1s\"\nheartbeat = \"100ms\"");
    let server = site.start().await;
    let mut stream = server.client().stream("m", "Tell me of it.").await;
    stream.read_until_text("Once").await;
    server.kill().await;
    let db = site.script().await;
    let (_site, said) = delete(site, "default").await;
    assert!(said.contains("is deleted"), "{said}");
    let records = "SELECT model || ' ' || (input_tokens > 0) || ' ' || estimated FROM usage_records";
    assert_eq!(texts(&db, records).await, ["m 1 1"]);
    assert_eq!(left(&db).await, []);
}

const EVENTS: DeliveryMode = DeliveryMode::Events { view: View { include_obfuscation: false }, from: 0 };

/// A node, and a store beside it as another node has it.
async fn pair() -> (TestNode, SqlStore) {
    let node = TestNode::start(ResponseOptions::default()).await;
    let beside = SqlStore::connect(StoreOptions::new(&node.url)).await.unwrap();
    (node, beside)
}

/// The plan's response is refused for what happens while its admission is on its way.
async fn refused(node: &TestNode, plan: RunPlan, meanwhile: impl Future<Output = ()>) -> Refusal {
    node.store.hold_commits();
    let respond = node.antiphon.respond(plan, EVENTS);
    let happens = async {
        node.store.commit_held().await;
        meanwhile.await;
        node.store.release_commits();
    };
    let (answer, ()) = tokio::join!(respond, happens);
    answer.map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn an_admission_that_is_on_its_way_when_its_user_is_deleted_leaves_no_row() {
    let (node, _beside) = pair().await;
    let delete = async {
        let accounts = node.antiphon.accounts();
        assert!(accounts.delete_user(node.user, node.now(), |_| ()).await.unwrap());
    };
    assert_eq!(refused(&node, node.plan(), delete).await, Refusal::UserDeleted);
    assert_eq!(left(&Database::connect(&node.url).await.unwrap()).await, []);
    let again = node.antiphon.respond(node.plan(), EVENTS).await.map(|_| ());
    assert_eq!(again, Err(Refusal::UserDeleted));
}

#[tokio::test]
async fn a_response_whose_ancestor_is_deleted_while_it_is_admitted_is_refused_as_if_that_had_never_been() {
    let (node, beside) = pair().await;
    let first = node.plan();
    let previous = first.id;
    let mut client = node.respond(first).await;
    let call = node.provider.asked().await;
    call.open();
    call.text("Hello");
    call.finish();
    drop(call);
    client.read_all().await;
    let mut plan = node.plan();
    let mut request = (*plan.request).clone();
    request.previous_response_id = Some(previous);
    plan.request = request.into();
    let id = plan.id;
    let delete = async {
        let deleted = beside.commit(&[JournalEntry::Delete(previous)]).await.unwrap();
        assert_eq!(deleted, [CommitOutcome::Committed]);
    };
    assert_eq!(refused(&node, plan, delete).await, Violation::previous_not_found(previous).into());
    assert_eq!(node.antiphon.retrieve(node.user, id).await, Err(Refusal::NotFound));
    assert_eq!(count(&Database::connect(&node.url).await.unwrap(), "SELECT COUNT(*) FROM responses").await, 0);
}
