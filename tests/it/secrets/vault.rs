//! Ciphertexts that were moved, and keys that are changed under a running server.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use sea_orm::DatabaseConnection;
use serde_json::json;

use crate::support::{Client, Site, bytes, count, execute, row_id, texts};

async fn made(client: &Client, input: &str) -> String {
    let answer = client.create(&json!({ "model": "m", "input": input })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.id()
}

/// Exchanges what two rows of a table hold.
async fn swap(db: &DatabaseConnection, table: &str, column: &str, [one, two]: [&str; 2]) {
    let mut held = Vec::new();
    for row in [one, two] {
        held.push(bytes(db, &format!("SELECT {column} FROM {table} WHERE {row}")).await);
    }
    assert_ne!(held[0], held[1]);
    for (row, content) in [one, two].into_iter().zip(held.into_iter().rev()) {
        let sql = format!("UPDATE {table} SET {column} = ? WHERE {row}");
        assert_eq!(execute(db, &sql, vec![content.into()]).await, 1);
    }
}

#[tokio::test]
async fn ciphertexts_that_changed_places_are_found_out() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello ", "there"]));
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let client = server.client();
    let (one, two, other) = (made(&client, "One.").await, made(&client, "Two.").await, made(&client, "Other.").await);
    let (first, second) = (row_id(&one), row_id(&two));
    let script = site.script().await;

    let items = [&first, &second].map(|row| format!("response = '{row}' AND side = 'input'"));
    swap(&script, "items", "content", items.each_ref().map(String::as_str)).await;
    for id in [&one, &two] {
        let answer = client.get(&format!("/v1/responses/{id}/input_items")).await;
        assert_eq!(answer.error(), (500, Some("stored_response_damaged".to_owned()), None));
        assert_eq!(client.retrieve(id).await.status, 200, "its log is as it was");
    }
    let segments = [&first, &second].map(|row| format!("response = '{row}' AND first_fact = 0"));
    swap(&script, "segments", "bytes", segments.each_ref().map(String::as_str)).await;
    // This server remembers how they ended; another one reads their logs.
    server.kill().await;
    let server = site.start().await;
    let client = server.client();
    for id in [&one, &two] {
        assert_eq!(client.retrieve(id).await.error(), (500, Some("stored_response_damaged".to_owned()), None));
        let onwards = json!({ "model": "m", "input": "On.", "previous_response_id": id });
        assert_eq!(client.create(&onwards).await.error().0, 500, "nothing foreign reaches a prompt");
    }
    assert_eq!(provider.requests().len(), 3);
    assert_eq!(client.retrieve(&other).await.output_text(), "Hello there");
    made(&client, "Three.").await;
}

#[tokio::test]
async fn the_key_ring_is_rotated_while_a_response_streams() {
    let gate = ScriptGate::new();
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    provider.script("waits", Script::new().text("before ").pause_until(&gate).text("after").finish("stop").done());
    let site = Site::with_models(&provider, &["m", "waits"]);
    let server = site.start().await;
    let client = server.client();
    let earlier = made(&client, "Hi.").await;
    let mut events = client.stream("waits", "Hi.").await;
    events.read_until_text("before ").await;
    let said = site.run(&["vault", "rotate"]);
    assert!(said.starts_with("key version 2 is current; 1 of 1 "), "{said}");
    gate.open();
    assert_eq!(events.read_all().await["type"], "response.completed");
    assert_eq!(client.retrieve(&events.id()).await.output_text(), "before after");
    assert_eq!(client.retrieve(&earlier).await.output_text(), "Hello");
    site.run(&["users", "create", "late"]);
    let late = client.with_key(&site.run(&["keys", "create", "--name", "late", "--user", "late"]));
    let newest = made(&late, "Hi.").await;
    assert_eq!(late.retrieve(&newest).await.output_text(), "Hello");
    let script = site.script().await;
    assert_eq!(count(&script, "SELECT COUNT(*) FROM user_keys WHERE key_version <> 2").await, 0);
    assert_eq!(texts(&script, "SELECT name FROM users ORDER BY name").await, ["default", "late"]);
    server.kill().await;
    let again = site.start().await;
    let client = again.client();
    assert_eq!(client.retrieve(&events.id()).await.output_text(), "before after");
}
