//! A database that is locked, gone, emptied, changed behind the server's back, or open to others.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, TransactionTrait as _};
use serde_json::json;

use antiphon::testkit::postgres;

use crate::support::{Answer, Client, Disk, PATIENCE, Running, Site, bytes, execute, is_live, open_database, row_id};

async fn ask(client: &Client) -> Answer {
    client.create(&json!({ "model": "eliza", "input": "I feel calm." })).await
}

/// Waits for an answer with that status and these words in it.
async fn until(client: &Client, path: &str, (status, words): (u16, &str)) {
    let mut last = String::new();
    let seen = async {
        loop {
            let Answer { status: found, text, .. } = client.get(path).await;
            if found == status && text.contains(words) {
                return;
            }
            last = format!("{found} {text}");
        }
    };
    let seen = tokio::time::timeout(PATIENCE, seen).await.is_ok();
    assert!(seen, "{path} is not {status} {words:?}, but {last}");
}

#[tokio::test]
async fn a_database_that_another_program_locks_is_read_and_what_can_not_be_written_is_told_so() {
    let site = Site::new().config("[store]\noutage_patience = \"1s\"\n[responses]\nlease = \"60s\"");
    let server = site.start().await;
    let client = server.client();
    let (kept, deleted) = (ask(&client).await.id(), ask(&client).await.id());
    let db = site.script().await;
    let lock = db.begin().await.unwrap();
    lock.execute_unprepared("UPDATE nodes SET node = node").await.unwrap();
    let (created, refused) = tokio::join!(ask(&client), client.delete(&deleted));
    for answer in [created, refused] {
        assert_eq!(answer.error(), (503, Some("database_unavailable".to_owned()), None), "{}", answer.text);
    }
    until(&client, "/health/ready", (503, "the database takes no writes")).await;
    is_live(&client).await;
    assert_eq!(client.retrieve(&kept).await.status, 200);
    lock.rollback().await.unwrap();
    until(&client, "/health/ready", (200, "ok")).await;
    until(&client, &format!("/v1/responses/{deleted}"), (404, "not found")).await;
    assert_eq!(ask(&client).await.status, 200);
}

#[tokio::test]
async fn a_database_that_is_slow_by_seconds_delays_what_is_written_and_nothing_else() {
    const TIMES: usize = 3;
    let site = Site::new().config("[store]\nstatement_timeout = \"1s\"\n[responses]\nlease = \"60s\"");
    let server = site.start().await;
    let client = server.client();
    let kept = ask(&client).await.id();
    let db = site.script().await;
    for times in 1..=TIMES {
        let lock = db.begin().await.unwrap();
        lock.execute_unprepared("UPDATE nodes SET node = node").await.unwrap();
        let written = async {
            let (created, deleted) = tokio::join!(ask(&client), client.delete(&kept));
            (created, deleted.status)
        };
        let beside = async {
            // The database has kept a write for `statement_timeout` by then.
            server.logged_times("a commit waits for another transaction", times).await;
            is_live(&client).await;
            // The deletion may only be told of once it is durable.
            assert_eq!(client.retrieve(&kept).await.status, if times == 1 { 200 } else { 404 });
            lock.rollback().await.unwrap();
        };
        let ((created, deleted), ()) = tokio::join!(written, beside);
        assert_eq!(created.status, 200, "{}", created.text);
        assert_eq!(deleted, if times == 1 { 200 } else { 404 });
        assert_eq!(client.retrieve(&created.id()).await.output_text(), created.output_text());
    }
    until(&client, "/health/ready", (200, "ok")).await;
}

/// As after a failover to a server that only reads: whoever connects from now on can write nothing.
async fn only_read(url: &str, is_so: bool) {
    let (server, name) = url.rsplit_once('/').unwrap();
    let db = open_database(&format!("{server}/postgres")).await;
    let setting = match is_so {
        true => "SET default_transaction_read_only = on",
        false => "RESET default_transaction_read_only",
    };
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    for statement in [format!("ALTER DATABASE {name} {setting}"), end] {
        db.execute_unprepared(&statement).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_that_can_only_be_read_is_read_and_written_to_once_it_can_be() {
    let url = postgres::fresh_database();
    let site = Site::new().on(&url).config("[store]\noutage_patience = \"1s\"\n[responses]\nlease = \"60s\"");
    let server = site.start().await;
    let client = server.client();
    let (kept, deleted) = (ask(&client).await.id(), ask(&client).await.id());
    only_read(&url, true).await;
    // Requests that meet a connection that was there before are refused as well, and leave nothing to be written.
    let refused = async {
        while !client.get("/health/ready").await.text.contains("the database takes no writes") {
            let (created, deleted) = tokio::join!(ask(&client), client.delete(&deleted));
            for answer in [created, deleted] {
                assert_eq!(answer.error(), (503, Some("database_unavailable".to_owned()), None), "{}", answer.text);
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, refused).await.is_ok(), "it is ready");
    is_live(&client).await;
    for id in [&kept, &deleted] {
        until(&client, &format!("/v1/responses/{id}"), (200, "completed")).await;
    }
    only_read(&url, false).await;
    let taken = async { while ask(&client).await.status != 200 {} };
    assert!(tokio::time::timeout(PATIENCE, taken).await.is_ok(), "it takes none");
    until(&client, "/health/ready", (200, "ok")).await;
    until(&client, &format!("/v1/responses/{kept}"), (200, "completed")).await;
}

#[tokio::test]
async fn a_start_on_a_disk_that_can_only_be_read_says_so_and_changes_nothing() {
    if !Disk::may_be_mounted("database_faults::a_start_on_a_disk_that_can_only_be_read_says_so_and_changes_nothing") {
        return;
    }
    let site = Site::new();
    let disk = Disk::mount(&site.data(), 32);
    let server = site.start().await;
    let (client, key) = (server.client(), server.key.clone());
    let asked = ask(&client).await;
    server.kill().await;
    disk.remount("ro");
    let told = told(&site);
    assert!(told.to_lowercase().contains("read-only"), "{told}");
    disk.remount("rw");
    let server = site.start_again(&key).await;
    assert_eq!(server.client().retrieve(&asked.id()).await.output_text(), asked.output_text());
    assert_eq!(ask(&server.client()).await.status, 200);
}

#[tokio::test]
async fn a_hundred_requests_at_once_share_two_connections() {
    let site = Site::new().config("[store]\nmax_connections = 2");
    let server = site.start().await;
    let client = server.client();
    let id = ask(&client).await.id();
    let both = (0..100).map(|_| async { tokio::join!(ask(&client), client.retrieve(&id)) });
    for (made, read) in join_all(both).await {
        assert_eq!((made.status, read.status), (200, 200), "{} {}", made.text, read.text);
    }
}

/// A server that has begun and was stopped; its key.
async fn used(site: &Site) -> (String, String) {
    let server = site.start().await;
    let id = ask(&server.client()).await.id();
    let key = server.key.clone();
    server.terminate();
    server.ended().await;
    (key, id)
}

fn told(site: &Site) -> String {
    let (status, told) = site.refused(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(status.code(), Some(1), "{told}");
    told
}

#[tokio::test]
async fn a_database_that_is_gone_or_empty_is_no_first_start() {
    let site = Site::new();
    let (key, id) = used(&site).await;
    let file = |end: &str| site.data().join(format!("antiphon.db{end}"));
    // A write-ahead log is there or not: the last connection takes it away, if it has the time.
    let read = |end| fs::read(file(end)).ok();
    let (whole, log) = (read("").unwrap(), read("-wal"));
    fs::write(file(""), "").unwrap();
    let words = "the database that this data directory was used with is gone or empty: SQLite in ";
    assert!(told(&site).contains(words), "{}", told(&site));
    assert_eq!(read("-wal"), log, "nothing is touched");
    fs::remove_file(file("")).unwrap();
    assert!(told(&site).contains(words), "{}", told(&site));
    assert!(!file("").exists());
    fs::write(file(""), whole).unwrap();
    let server = site.start().await;
    assert_eq!(server.client().with_key(&key).retrieve(&id).await.status, 200);
    drop(server);
    for end in ["", "-wal", "-shm"].into_iter().filter(|end| file(end).exists()) {
        fs::remove_file(file(end)).unwrap();
    }
    run_advice(&told(&site));
    // The key ring is there, so that this is not the very first start; its database is.
    let begun = site.start().await;
    assert_eq!(begun.client().with_key(&key).retrieve(&id).await.status, 401);
}

/// Runs the command that a message has in backticks.
fn run_advice(told: &str) {
    let command = told.split('`').nth(1).unwrap();
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

#[tokio::test]
async fn a_damaged_database_is_told_and_opens_nothing() {
    let site = Site::new();
    let (key, id) = used(&site).await;
    let db = site.script().await;
    db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    db.close().await.unwrap();
    let file = site.data().join("antiphon.db");
    let whole = fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..].fill(0xa5);
    fs::write(&file, &damaged).unwrap();
    let told = told(&site);
    assert!(told.contains("malformed") && told.contains("backup"), "{told}");
    fs::write(&file, &whole).unwrap();
    let server = site.start().await;
    let client = server.client().with_key(&key);
    let before = client.retrieve(&id).await;
    assert_eq!(before.status, 200);
    fs::write(&file, &damaged).unwrap();
    is_live(&client).await;
    // What is in memory is still true, and nothing else is told.
    let after = client.retrieve(&id).await;
    assert!(after.status >= 500 || after.json() == before.json(), "{}", after.status);
    // What the connections keep of the file is true until something is written.
    ask(&client).await;
    until(&client, "/health/ready", (503, "")).await;
}

#[tokio::test]
async fn a_database_that_is_moved_in_mid_run_is_told_of() {
    let site = Site::new();
    let server = site.start().await;
    let client = server.client();
    let (file, aside) = (site.data().join("antiphon.db"), site.data().join("aside.db"));
    until(&client, "/health/ready", (200, "ok")).await;
    fs::rename(&file, &aside).unwrap();
    assert_eq!(client.get("/health/ready").await.status, 503);
    server.logged("the database's file was removed or replaced").await;
    is_live(&client).await;
    fs::rename(&aside, &file).unwrap();
    assert_eq!(client.get("/health/ready").await.status, 200);
}

/// A server with a conversation of two responses, and the database behind its back.
struct Conversation {
    _site: Site,
    _server: Running,
    client: Client,
    db: DatabaseConnection,
    first: String,
    second: String,
}

impl Conversation {
    async fn new() -> Self {
        let site = Site::new();
        let server = site.start().await;
        let client = server.client();
        let said = |text: &str| json!({ "role": "user", "content": text });
        let first = json!({ "model": "eliza", "input": [said("I am Ada."), said("I feel calm."), said("Do you?")] });
        let first = client.create(&first).await.id();
        let second = json!({ "model": "eliza", "input": "Why?", "previous_response_id": first });
        let second = client.create(&second).await.id();
        let db = site.script().await;
        Self { _site: site, _server: server, client, db, first, second }
    }

    async fn continued(&self) -> Answer {
        let body = json!({ "model": "eliza", "input": "Go on.", "previous_response_id": self.second });
        self.client.create(&body).await
    }

    async fn is_damaged(&self, what: &str) {
        let refused = self.continued().await;
        assert_eq!(
            refused.error(),
            (500, Some("stored_response_damaged".to_owned()), None),
            "{what}: {}",
            refused.text
        );
        assert!(refused.text.contains(&self.first), "{what}: {}", refused.text);
        let items = format!("/v1/responses/{}/input_items", self.first);
        assert_eq!(self.client.get(&items).await.status, 500, "{what}");
    }
}

#[tokio::test]
async fn items_that_were_removed_or_swapped_behind_its_back_are_never_a_shorter_prompt() {
    let talk = Conversation::new().await;
    let input = format!("FROM items WHERE response = '{}' AND side = 'input'", row_id(&talk.first));
    talk.db.execute_unprepared(&format!("CREATE TABLE aside AS SELECT * {input}")).await.unwrap();
    for which in ["", " AND position = 0", " AND position = 1", " AND position = 2"] {
        assert!(execute(&talk.db, &format!("DELETE {input}{which}"), vec![]).await > 0);
        talk.is_damaged(which).await;
        talk.db.execute_unprepared("INSERT OR IGNORE INTO items SELECT * FROM aside").await.unwrap();
        assert_eq!(talk.continued().await.status, 200, "it is as it was");
    }
    let content =
        bytes(&talk.db, &format!("SELECT content FROM items WHERE response = '{}'", row_id(&talk.second))).await;
    let swap = format!(
        "UPDATE items SET content = ? WHERE response = '{}' AND side = 'input' AND position = 0",
        row_id(&talk.first)
    );
    execute(&talk.db, &swap, vec![content.into()]).await;
    talk.is_damaged("swapped").await;
}

#[tokio::test]
async fn a_log_that_was_removed_or_cut_behind_its_back_is_never_a_shorter_prompt() {
    let talk = Conversation::new().await;
    let first = row_id(&talk.first);
    let of_first = |table: &str| format!("FROM {table} WHERE response = '{first}'");
    let end = format!("{} AND first_fact = (SELECT MAX(first_fact) {})", of_first("segments"), of_first("segments"));
    execute(&talk.db, &format!("DELETE {} AND side = 'output'", of_first("items")), vec![]).await;
    assert_eq!(talk.continued().await.status, 200, "the log has the output, too");
    assert_eq!(execute(&talk.db, &format!("DELETE {end}"), vec![]).await, 1);
    let refused = talk.continued().await;
    assert_eq!(refused.error(), (500, Some("stored_response_damaged".to_owned()), None), "{}", refused.text);
    assert!(refused.text.contains(&talk.first), "{}", refused.text);
    for table in ["items", "segments"] {
        execute(&talk.db, &format!("DELETE {}", of_first(table)), vec![]).await;
    }
    talk.is_damaged("neither items nor log").await;
}

#[tokio::test]
async fn files_that_others_can_use_are_told_of_with_what_to_do() {
    let site = Site::new();
    used(&site).await;
    let database = site.data().join("antiphon.db");
    fs::set_permissions(&database, Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(site.data(), Permissions::from_mode(0o755)).unwrap();
    let server = site.start().await;
    server.logged("others than its owner can use '").await;
    for command in [&["check-config"][..], &["doctor"]] {
        let told = String::from_utf8(site.command(command).output().unwrap().stderr).unwrap();
        let commands: Vec<&str> =
            told.lines().filter_map(|line| line.split_once("chmod ")).map(|(_, rest)| rest).collect();
        // SQLite gives the files beside the database its mode.
        assert!(commands.len() >= 2, "{told}");
        if command == ["doctor"] {
            for rest in commands {
                assert!(Command::new("sh").args(["-c", &format!("chmod {rest}")]).status().unwrap().success());
            }
        }
    }
    assert!(site.command(&["check-config"]).output().unwrap().stderr.is_empty());
}

#[tokio::test]
async fn a_server_leaves_no_dump_of_its_memory() {
    let site = Site::new();
    let server = site.start().await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
}
