//! Users who are deleted while they are busy: nothing that must stay is lost, and nothing that must go stays.

use antiphon::{
    Refusal,
    actors::DeliveryMode,
    domain::{ResponseOptions, RunPlan, Timestamp, View, Violation},
    protocol::UserId,
    store::{
        AccountError, AccountStore as _, CommitOutcome, Error, GroupCommit as _, JournalEntry, SqlStore, StoreOptions,
        UserRecord, WrappedKey,
    },
    testkit::{Script, ScriptGate, ScriptedProvider, TestNode, postgres},
};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, TransactionTrait as _};
use serde_json::json;

use crate::support::{Client, Site, count, texts, until_text};

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

const AT: Timestamp = Timestamp::from_micros(1);

/// A store with one user, who has that many responses, and a connection past the store.
async fn with_responses(responses: u32) -> (SqlStore, UserId, DatabaseConnection) {
    let url = postgres::fresh_database();
    let store = SqlStore::connect(StoreOptions::new(&url)).await.unwrap();
    store.migrate().await.unwrap();
    let user = UserRecord { id: UserId::new(), name: "ada".to_owned(), created_at: AT, deleted_at: None };
    let data_key = WrappedKey { key_version: 1, bytes: "wrapped".into() };
    store.create_user(user.clone(), data_key).await.unwrap();
    let db = Database::connect(&url).await.unwrap();
    let insert = format!(
        "
INSERT INTO responses (
    uuid, user_id, node, epoch, status, model, stored, background, fold_version, prompt_tokens, created_at
)
SELECT gen_random_uuid(), (SELECT id FROM users), 'one', 1, 'in_progress', 'm', TRUE, FALSE, 1, 1, 1
FROM generate_series(1, {responses})"
    );
    db.execute_unprepared(&insert).await.unwrap();
    (store, user.id, db)
}

#[tokio::test]
async fn a_deletion_that_a_lock_stops_has_destroyed_the_keys_and_is_finished_by_the_next_one() {
    let (store, user, db) = with_responses(350).await;
    let other = db.begin().await.unwrap();
    other.execute_unprepared("SELECT uuid FROM responses ORDER BY uuid LIMIT 1 FOR UPDATE").await.unwrap();
    let stopped = store.delete_user(user, AT).await;
    assert!(matches!(stopped, Err(AccountError::Store(Error::Contended(_)))), "{stopped:?}");
    let tables: Vec<&str> = left(&db).await.into_iter().map(|(table, _)| table).collect();
    assert_eq!(tables, ["users", "responses"]);
    other.rollback().await.unwrap();
    assert!(store.delete_user(user, AT).await.unwrap());
    assert_eq!(left(&db).await, []);
    assert_eq!(count(&db, "SELECT COUNT(*) FROM usage_records WHERE estimated").await, 350);
}

#[tokio::test]
async fn a_user_whose_responses_are_being_admitted_is_marked_at_once_and_deleted_after_them() {
    let (store, user, db) = with_responses(1).await;
    let admission = db.begin().await.unwrap();
    admission.execute_unprepared("SELECT id FROM users WHERE deleted_at IS NULL FOR KEY SHARE").await.unwrap();
    let seen = async {
        until_text(&db, "SELECT CAST(deleted_at AS TEXT) FROM users", "1").await;
        admission.commit().await.unwrap();
    };
    let (marked, ()) = tokio::join!(store.mark_user_deleted(user, AT), seen);
    assert!(marked.unwrap());
}

#[tokio::test]
async fn a_deletion_that_its_beginner_has_left_is_finished_by_a_server() {
    let (node, beside) = pair().await;
    assert!(beside.mark_user_deleted(node.user, AT).await.unwrap());
    let db = Database::connect(&node.url).await.unwrap();
    until_text(&db, "SELECT CAST(COUNT(*) AS TEXT) FROM users", "0").await;
    assert_eq!(left(&db).await, []);
}
