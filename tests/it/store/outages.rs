//! Databases that do not answer, or stop answering.

use std::time::Duration;

use antiphon::{
    store::{Error, GroupCommit, ResponseStore, SqlStore, StoreOptions},
    testkit::{DelayingProxy, Script, ScriptedProvider, postgres},
};
use sea_orm::{ConnectionTrait, TransactionOptions, TransactionTrait};
use serde_json::json;

use super::{
    TestDatabase,
    responses::{admit, append, committed, live},
};
use crate::support::{Site, until_text};

async fn impatient(database: &TestDatabase) -> SqlStore {
    let patience = Duration::from_millis(150);
    let options =
        StoreOptions { statement_timeout: patience, acquire_timeout: patience, ..StoreOptions::new(&database.url) };
    SqlStore::connect(options).await.unwrap()
}

#[tokio::test]
async fn a_locked_database_is_unavailable_and_then_available_again() {
    for database in TestDatabase::both() {
        let (patient, script) = (database.store().await, database.script().await);
        let store = impatient(&database).await;
        let admission = live();
        committed(&patient, admit(&admission)).await;
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(sea_orm::SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let lock = script.begin_with_options(options).await.unwrap();
        lock.execute_unprepared("UPDATE responses SET model = 'locked'").await.unwrap();

        let next = append(&admission, 0, 1, "b");
        let refused = store.commit(std::slice::from_ref(&next)).await;
        assert!(matches!(refused, Err(Error::TimedOut(_) | Error::Contended(_))), "{refused:?}");
        assert!(store.response(admission.row.id).await.unwrap().is_some(), "reads go on");

        lock.rollback().await.unwrap();
        committed(&store, next).await;
    }
}

#[tokio::test]
async fn connections_that_the_server_cut_are_replaced() {
    let database = TestDatabase::postgres();
    let (store, script) = (database.store().await, database.script().await);
    for _ in 0..3 {
        store.ping().await.unwrap();
    }
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    script.execute_unprepared(others).await.unwrap();
    let mut failures = 0;
    while let Err(error) = store.ping().await {
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        failures += 1;
        assert!(failures <= 5, "one failure for each old connection at most");
    }
    while let Err(error) = store.commit(&[admit(&live())]).await {
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        failures += 1;
        assert!(failures <= 5, "one failure for each old connection at most");
    }
}

#[tokio::test]
async fn a_migration_that_waits_for_another_program_holds_up_nobody_else() {
    let database = TestDatabase::postgres();
    let (store, script) = (database.store().await, database.script().await);
    let before_the_last = "
ALTER TABLE users DROP COLUMN deleted_at; DELETE FROM seaql_migrations WHERE version LIKE '%deleted_users'";
    script.execute_unprepared(before_the_last).await.unwrap();
    let dump = script.begin().await.unwrap();
    dump.execute_unprepared("LOCK TABLE users IN ACCESS SHARE MODE").await.unwrap();
    let others = async {
        let waiting = "SELECT CAST(COUNT(*) AS TEXT) FROM pg_locks WHERE relation = 'users'::regclass AND NOT granted";
        until_text(&script, waiting, "1").await;
        until_text(&script, "SELECT CAST(COUNT(*) > 0 AS TEXT) FROM users", "true").await;
        dump.rollback().await.unwrap();
    };
    let (migrated, ()) = tokio::join!(store.migrate(), others);
    migrated.unwrap();
    let column = "SELECT CAST(COUNT(*) AS TEXT) FROM information_schema.columns WHERE column_name = 'deleted_at'";
    until_text(&script, column, "1").await;
}

/// Words of the libraries below, which are for the log alone.
const INNER_WORDS: [&str; 6] = ["sqlx", "pool", "elapsed", "select", "postgres", "statement"];

#[tokio::test]
async fn a_database_that_takes_questions_and_gives_no_answers_costs_each_request_a_bounded_time_and_is_not_quoted() {
    let (provider, url) = (ScriptedProvider::start(), postgres::fresh_database());
    provider.script("m", Script::new().text("Hello").done());
    let (proxy, url) = DelayingProxy::in_front_of(&url);
    let site = Site::with_models(&provider, &["m"]).on(&url);
    let site = site.config("[store]\nacquire_timeout = \"1s\"\nstatement_timeout = \"1s\"");
    let server = site.start().await;
    let client = server.client();
    let body = json!({ "model": "m", "input": "Hi." });
    let created = client.create(&body).await;
    assert_eq!(created.status, 200);
    proxy.stall();
    let answers =
        [client.create(&body).await, client.retrieve(&created.id()).await, client.delete(&created.id()).await];
    for answer in answers {
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert_eq!(answer.json()["error"]["code"], "database_unavailable");
        let text = answer.text.to_lowercase();
        assert!(!INNER_WORDS.iter().any(|word| text.contains(word)), "{text}");
    }
    proxy.restore();
    while client.retrieve(&created.id()).await.status != 200 {}
}
