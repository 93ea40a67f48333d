//! A server whose files can't grow, as on a disk that is full, and one on a disk that is.

use std::fs;

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Disk, Site, count, is_live};

const TO_ELIZA: &str = "I feel calm.";

async fn ask(client: &Client) -> Answer {
    client.create(&json!({ "model": "eliza", "input": TO_ELIZA })).await
}

#[tokio::test]
async fn what_was_asked_while_the_disk_was_full_is_kept_once_there_is_room() {
    let site = Site::new();
    let server = site.start().await;
    let client = server.client();
    let before = ask(&client).await.id();
    server.limit_files("1");
    let asked = {
        let client = client.clone();
        tokio::spawn(async move { ask(&client).await })
    };
    // The first failure leaves a transaction that is none; it takes more to be told of commits that are none.
    server.logged_times("a commit waits for the database", 3).await;
    is_live(&client).await;
    let unready = client.get("/health/ready").await;
    assert!(unready.status == 503 && unready.text.contains("the database has no room"), "{}", unready.text);
    assert_eq!(client.retrieve(&before).await.status, 200);
    server.limit_files("unlimited");
    let answer = asked.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(client.retrieve(&answer.id()).await.output_text(), answer.output_text());
    let later = ask(&client).await;
    let key = server.key.clone();
    server.kill().await;
    let again = site.start().await;
    let client = again.client().with_key(&key);
    for made in [&answer, &later] {
        assert_eq!(client.retrieve(&made.id()).await.output_text(), made.output_text());
    }
}

#[tokio::test]
async fn a_deletion_that_finds_no_room_is_told_so_in_time_and_happens_once_there_is_some() {
    let site = Site::new().config("[store]\noutage_patience = \"1s\"");
    let server = site.start().await;
    let client = server.client();
    let (kept, deleted) = (ask(&client).await.id(), ask(&client).await.id());
    server.limit_files("1");
    let refused = client.delete(&deleted).await;
    assert_eq!(refused.error(), (503, Some("database_unavailable".to_owned()), None), "{}", refused.text);
    assert_ne!(refused.header("retry-after"), "");
    assert_eq!(client.retrieve(&deleted).await.status, 200, "nothing of it is gone");
    server.limit_files("unlimited");
    let gone = async { while client.retrieve(&deleted).await.status != 404 {} };
    assert!(tokio::time::timeout(std::time::Duration::from_secs(60), gone).await.is_ok(), "it is still there");
    assert_eq!(client.retrieve(&kept).await.status, 200);
}

/// Asks until there is another answer than that there is no room.
async fn once_there_is_room(client: &Client) -> Answer {
    let answered = async {
        loop {
            let answer = ask(client).await;
            if answer.status != 503 {
                return answer;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), answered).await.expect("there was never room")
}

#[tokio::test]
async fn on_a_full_disk_what_is_there_can_be_deleted_and_then_new_responses_are_taken() {
    if !Disk::may_be_mounted("full_disk::on_a_full_disk_what_is_there_can_be_deleted_and_then_new_responses_are_taken")
    {
        return;
    }
    let gate = ScriptGate::new();
    let provider = ScriptedProvider::start();
    provider.script("waits", Script::new().text("Once upon").pause_until(&gate).text(" a time").finish("stop").done());
    let site =
        Site::with_models(&provider, &["waits"]).config("[store]\nreserve = \"4MiB\"\noutage_patience = \"60s\"");
    let disk = Disk::mount(&site.data(), 10);
    let server = site.start().await;
    let client = server.client();
    let large = "x".repeat(50_000);
    let mut old = Vec::new();
    for _ in 0..8 {
        old.push(client.create(&json!({ "model": "eliza", "input": large })).await.id());
    }
    let mut stream = client.stream("waits", "Tell.").await;
    stream.read_until_text("Once upon").await;
    disk.fill();
    gate.open();
    server.logged("a commit waits for the database").await;
    let unready = client.get("/health/ready").await;
    assert!(unready.status == 503 && unready.text.contains("the database has no room"), "{}", unready.text);
    is_live(&client).await;
    assert_eq!(ask(&client).await.error(), (503, Some("database_unavailable".to_owned()), None));
    for id in &old {
        assert_eq!(client.retrieve(id).await.status, 200);
        let deleted = client.delete(id).await;
        assert_eq!(deleted.status, 200, "{}", deleted.text);
        assert_eq!(client.retrieve(id).await.status, 404);
    }
    let last: Value = stream.read_all().await;
    assert_eq!(last["type"], "response.completed", "what ran goes on when there is room");
    let made = once_there_is_room(&client).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let (id, key, seen) = (stream.id(), server.key.clone(), stream.text());
    server.kill().await;
    disk.fill();
    let again = site.start_again(&key).await;
    let client = again.client();
    assert_eq!(client.retrieve(&id).await.output_text(), seen);
    assert_eq!(client.delete(&made.id()).await.status, 200, "also after a start on the full disk");
}

/// The ids of that many responses, each of which takes 400 KB of room to be deleted.
async fn large_responses(client: &Client, count: usize) -> Vec<String> {
    let body = json!({ "model": "eliza", "input": "quite calm ".repeat(36_000) });
    let made = join_all((0..count).map(|_| client.create(&body))).await;
    made.iter().map(Answer::id).collect()
}

#[tokio::test]
async fn deletions_that_together_need_more_than_is_kept_for_them_find_room_one_after_the_other() {
    if !Disk::may_be_mounted(
        "full_disk::deletions_that_together_need_more_than_is_kept_for_them_find_room_one_after_the_other",
    ) {
        return;
    }
    let site = Site::new().config("[store]\nreserve = \"4MiB\"");
    let disk = Disk::mount(&site.data(), 60);
    let server = site.start().await;
    let client = server.client();
    let old = large_responses(&client, 30).await;
    disk.fill();
    let delete = async |id: &String| {
        while let Answer { status: 503, .. } = client.delete(id).await {}
        assert_eq!(client.retrieve(id).await.status, 404);
    };
    let deleted = tokio::time::timeout(std::time::Duration::from_secs(60), join_all(old.iter().map(delete))).await;
    assert!(deleted.is_ok(), "they find no room");
    assert_eq!(once_there_is_room(&client).await.status, 200);
}

#[tokio::test]
async fn a_user_can_be_deleted_on_a_full_disk() {
    if !Disk::may_be_mounted("full_disk::a_user_can_be_deleted_on_a_full_disk") {
        return;
    }
    let site = Site::new().config("[store]\nreserve = \"4MiB\"");
    let disk = Disk::mount(&site.data(), 60);
    let server = site.start().await;
    // With the log that a stop may leave there are some 8 MiB for them.
    let _large = large_responses(&server.client(), 30).await;
    server.terminate();
    server.ended().await;
    // As after a stop in order: opening the database makes it anew.
    let _gone = fs::remove_file(site.data().join("antiphon.db-shm"));
    disk.fill();
    deletes_its_user(&site);
}

#[track_caller]
fn deletes_its_user(site: &Site) {
    assert_ne!(site.run(&["users", "delete", "default"]), "");
    assert_eq!(site.run(&["users", "list"]), "");
}

#[tokio::test]
async fn a_user_can_be_deleted_on_a_full_disk_beside_a_server() {
    if !Disk::may_be_mounted("full_disk::a_user_can_be_deleted_on_a_full_disk_beside_a_server") {
        return;
    }
    let site = Site::new().config("[store]\nreserve = \"4MiB\"");
    let disk = Disk::mount(&site.data(), 12);
    let server = site.start().await;
    let _large = large_responses(&server.client(), 3).await;
    // There is a log to open, and none of its room to use again.
    let script = site.script().await;
    while count(&script, "PRAGMA wal_checkpoint(TRUNCATE)").await != 0 {}
    disk.fill();
    deletes_its_user(&site);
}

#[tokio::test]
async fn the_room_for_deletions_is_the_servers_and_no_command_takes_it() {
    let site = Site::new();
    let reserve = site.data().join("antiphon.db-reserve");
    let server = site.start().await;
    assert!(reserve.exists());
    server.terminate();
    server.ended().await;
    fs::remove_file(&reserve).unwrap();
    site.run(&["users", "list"]);
    assert!(!reserve.exists());
}
