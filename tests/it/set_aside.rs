//! Responses that lost their server and that nobody can end for now: nothing of them is lost, nobody waits for them.

use std::{fs, time::Duration};

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider, postgres};
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use serde_json::{Value, json};

use crate::support::{Client, Running, Site, bytes, count, execute, row_id, texts, until_text};

/// How long a fact may take to appear before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let seen = async { while !is_so().await {} };
    assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "{what} did not come");
}

/// A provider whose model `waits` says one thing and then waits at the gate, and whose model `quick` does not.
fn provider(gate: &ScriptGate) -> ScriptedProvider {
    let provider = ScriptedProvider::start();
    let waits = Script::new().text("Once upon a time").pause_until(gate).finish("stop").done();
    provider.script("waits", waits);
    provider.script("quick", Script::answer(["Hello"]));
    provider
}

/// A server that was killed in the middle of a response, of which this had been seen.
struct Interrupted {
    _provider: ScriptedProvider,
    site: Site,
    key: String,
    id: String,
    seen: String,
    db: DatabaseConnection,
}

impl Interrupted {
    async fn new() -> Self {
        let provider = provider(&ScriptGate::new());
        let site = Site::with_models(&provider, &["waits", "quick"])
            .config("[responses]\nlease = \"2s\"\nheartbeat = \"100ms\"");
        let server = site.start().await;
        let mut stream = server.client().stream("waits", "Tell.").await;
        stream.read_until_text("a time").await;
        let key = server.key.clone();
        server.kill().await;
        let db = site.script().await;
        Self { id: stream.id(), seen: stream.text(), _provider: provider, site, key, db }
    }

    async fn start(&self) -> (Running, Client) {
        let server = self.site.start().await;
        let client = server.client().with_key(&self.key);
        (server, client)
    }

    fn column(&self, name: &str) -> String {
        format!("SELECT {name} FROM responses WHERE uuid = '{}'", row_id(&self.id))
    }

    async fn set(&self, assignment: &str) {
        let sql = format!("UPDATE responses SET {assignment} WHERE uuid = '{}'", row_id(&self.id));
        assert_eq!(execute(&self.db, &sql, vec![]).await, 1);
    }

    async fn is_set_aside(&self, reason: &str) {
        until_text(&self.db, &self.column("set_aside_reason"), reason).await;
    }

    async fn has_ended(&self, client: &Client) {
        self.has_ended_as("failed", client).await;
    }

    async fn has_ended_as(&self, status: &str, client: &Client) {
        until_text(&self.db, &self.column("status"), status).await;
        let answer = client.retrieve(&self.id).await;
        assert_eq!((answer.status, answer.output_text()), (200, self.seen.clone()), "{}", answer.text);
        let last = client.replay(&self.id).await.read_all().await;
        assert_eq!(last["response"], answer.json(), "what is replayed is what can be read");
    }
}

async fn readiness(client: &Client) -> Value {
    client.get("/health/ready").await.json()
}

#[tokio::test]
async fn a_log_of_a_newer_version_is_left_alone_until_somebody_can_read_it() {
    let left = Interrupted::new().await;
    left.set("fold_version = 99").await;
    let (server, client) = left.start().await;
    left.is_set_aside("newer_version").await;
    let before = texts(&left.db, &left.column("status || ' ' || epoch || ' ' || node")).await;
    assert!(before[0].starts_with("in_progress 1 "), "nobody has claimed it: {before:?}");
    let listed = left.site.run(&["doctor"]);
    assert!(listed.starts_with(&left.id) && listed.contains("newer_version"), "{listed}");
    left.set("fold_version = 2").await;
    left.has_ended(&client).await;
    server.logged("a response that was set aside goes on").await;
    assert_eq!(left.site.run(&["doctor"]), "no response is set aside");
}

#[tokio::test]
async fn who_takes_a_response_over_writes_its_own_version_beside_it() {
    let left = Interrupted::new().await;
    left.set("fold_version = 1").await;
    let (_server, client) = left.start().await;
    left.has_ended(&client).await;
    assert_eq!(count(&left.db, &left.column("fold_version")).await, 2);
}

#[tokio::test]
async fn a_log_that_was_changed_is_kept_and_ended_once_it_is_as_it_was() {
    let left = Interrupted::new().await;
    let whole = bytes(&left.db, "SELECT bytes FROM segments WHERE first_fact = 0").await;
    let write = "UPDATE segments SET bytes = ? WHERE first_fact = 0";
    execute(&left.db, write, vec![vec![0_u8; whole.len()].into()]).await;
    let (server, client) = left.start().await;
    left.is_set_aside("log_unreadable").await;
    server.logged("a response is set aside").await;
    assert_eq!(readiness(&client).await["status"], "degraded");
    assert_eq!(readiness(&client).await["responses_set_aside"], 1);
    assert_eq!(client.retrieve(&left.id).await.status, 500);
    let refused = client.cancel(&left.id).await;
    assert_eq!(refused.error(), (503, Some("content_unavailable".to_owned()), None));
    execute(&left.db, write, vec![whole.into()]).await;
    left.site.run(&["doctor", "retry"]);
    // A cancel that could not be confirmed happens all the same.
    left.has_ended_as("cancelled", &client).await;
    assert_eq!(readiness(&client).await["status"], "ok");
    assert_eq!(server.log().matches("a response is set aside").count(), 1, "one line for each change");
}

#[tokio::test]
async fn one_that_is_given_up_ends_as_failed_and_what_can_be_read_of_it_can() {
    let left = Interrupted::new().await;
    left.set("fold_version = 99").await;
    let (_server, client) = left.start().await;
    left.is_set_aside("newer_version").await;
    let (status, told) = left.site.refused(&["doctor", "end", "resp_00000000000000000000000000000000"]);
    assert!(!status.success() && told.contains("that is set aside"), "{told}");
    assert!(left.site.run(&["doctor", "end", &left.id]).contains("has ended as failed"));
    // Its log has no end of its own: the row has it.
    left.has_ended(&client).await;
    let cause = client.retrieve(&left.id).await.json()["error"]["type"].clone();
    assert!(cause.is_null() || cause == "server_interrupted");
    assert_eq!(count(&left.db, "SELECT COUNT(*) FROM usage_records WHERE estimated").await, 1);
    let onwards = json!({ "model": "quick", "input": "On.", "previous_response_id": left.id });
    assert_eq!(client.create(&onwards).await.status, 200, "its input is there");
    assert_eq!(client.cancel(&left.id).await.status, 400, "it has ended");
    let (_, told) = left.site.refused(&["doctor", "retry", &left.id]);
    assert!(told.contains("that is set aside"), "{told}");
}

#[tokio::test]
async fn the_doctor_changes_no_tables() {
    let left = Interrupted::new().await;
    let newest = "DELETE FROM seaql_migrations WHERE version = (SELECT MAX(version) FROM seaql_migrations)";
    assert_eq!(execute(&left.db, newest, vec![]).await, 1);
    let before = count(&left.db, "SELECT COUNT(*) FROM seaql_migrations").await;
    let (status, told) = left.site.refused(&["doctor"]);
    assert!(!status.success() && told.contains("an older version of Antiphon uses it"), "{told}");
    assert_eq!(count(&left.db, "SELECT COUNT(*) FROM seaql_migrations").await, before);
}

/// A trigger that refuses to end the responses of these users' inputs, by their prompt.
async fn refuse(db: &DatabaseConnection, name: &str, event: &str, when: &str) {
    let sql = format!(
        "CREATE TRIGGER {name} BEFORE {event} WHEN {when} BEGIN SELECT RAISE(ABORT, 'refused for this test'); END"
    );
    db.execute_unprepared(&sql).await.unwrap();
}

#[tokio::test]
async fn those_whose_ending_is_refused_hold_up_nobody() {
    let provider = provider(&ScriptGate::new());
    let site = Site::with_models(&provider, &["waits", "quick"])
        .config("max_concurrent = 64\nmax_concurrent_per_key = 64\n[responses]\nlease = \"2s\"\nheartbeat = \"100ms\"");
    let server = site.start().await;
    let client = server.client();
    let key = server.key.clone();
    let mut streams = Vec::new();
    for _ in 0..40 {
        let mut stream = client.stream("waits", "Tell.").await;
        stream.read_until_text("a time").await;
        streams.push(stream);
    }
    server.kill().await;
    let db = site.script().await;
    // The oldest ones, which are tried first.
    let poisoned = "(SELECT COUNT(*) FROM responses o WHERE o.uuid < NEW.uuid) < 32 AND NEW.status = 'failed'";
    refuse(&db, "poison", "UPDATE OF status ON responses", poisoned).await;
    let server = site.start().await;
    let client = server.client().with_key(&key);
    let failed = "SELECT CAST(COUNT(*) AS TEXT) FROM responses WHERE status = 'failed'";
    until_text(&db, failed, "8").await;
    let background = json!({ "model": "quick", "input": "Hi.", "background": true });
    let id = client.create(&background).await.id();
    eventually("a background response", async || client.retrieve(&id).await.json()["status"] == "completed").await;
    let marked = "SELECT CAST(COUNT(*) AS TEXT) FROM responses WHERE set_aside_reason = 'ending_refused'";
    until_text(&db, marked, "32").await;
    let ready = readiness(&client).await;
    assert_eq!((&ready["status"], &ready["responses_set_aside"]), (&json!("degraded"), &json!(32)));
    assert_eq!(server.log().matches("a response is set aside").count(), 32);
    db.execute_unprepared("DROP TRIGGER poison").await.unwrap();
    // Some of them may have been tried meanwhile.
    assert!(site.run(&["doctor", "retry"]).ends_with(" responses are tried again"));
    until_text(&db, failed, "40").await;
    assert_eq!(readiness(&client).await["status"], "ok");
}

/// It takes two minutes: a refusal may pass.
#[tokio::test]
async fn long_an_ending_that_is_refused_for_its_items_is_written_without_them_after_minutes() {
    let left = Interrupted::new().await;
    refuse(&left.db, "poison", "INSERT ON items", "NEW.side = 'output'").await;
    let (server, client) = left.start().await;
    server.logged("a response is set aside").await;
    left.is_set_aside("ending_refused").await;
    let ended = async { while texts(&left.db, &left.column("status")).await != ["failed"] {} };
    assert!(tokio::time::timeout(Duration::from_mins(5), ended).await.is_ok());
    left.has_ended(&client).await;
    assert_eq!(count(&left.db, "SELECT COUNT(*) FROM items WHERE side = 'output'").await, 0);
}

#[tokio::test]
async fn a_row_that_holds_nonsense_hides_no_other_and_is_set_aside() {
    let left = Interrupted::new().await;
    left.set("ended_at = 5").await;
    let (_server, client) = left.start().await;
    left.is_set_aside("row_unreadable").await;
    assert_eq!(client.retrieve(&left.id).await.error().0, 500, "no time is made up");
    left.set("ended_at = NULL").await;
    left.site.run(&["doctor", "retry"]);
    left.has_ended(&client).await;
}

#[tokio::test]
async fn a_rotation_in_the_middle_of_a_rolling_deploy_loses_nothing_that_anyone_saw() {
    let gate = ScriptGate::new();
    let provider = provider(&gate);
    let one = Site::with_models(&provider, &["waits", "quick"])
        .config("[responses]\nlease = \"2s\"\nheartbeat = \"100ms\"")
        .on(&postgres::fresh_database());
    let first = one.start().await;
    let two = one.beside();
    let second = two.start().await;
    let client = second.client().with_key(&first.key);
    let mut stream = first.client().stream("waits", "Tell.").await;
    stream.read_until_text("a time").await;
    let (id, seen) = (stream.id(), stream.text());
    one.run(&["vault", "rotate"]);
    first.kill().await;

    second.logged("a response is set aside").await;
    let db = one.script().await;
    until_text(&db, "SELECT set_aside_reason FROM responses", "key_missing").await;
    let listed = two.run(&["doctor"]);
    assert!(listed.starts_with(&id) && listed.contains("key_missing"), "{listed}");
    assert_eq!(texts(&db, "SELECT status FROM responses").await, ["in_progress"]);
    assert_eq!(client.retrieve(&id).await.error(), (503, Some("content_unavailable".to_owned()), None));

    fs::copy(one.data().join("keys.json"), two.data().join("keys.json")).unwrap();
    two.run(&["doctor", "retry"]);
    until_text(&db, "SELECT status FROM responses", "failed").await;
    assert_eq!(client.retrieve(&id).await.output_text(), seen);
    assert_eq!(client.replay(&id).await.read_all().await["type"], "response.failed");
}
