//! Stores: one suite for all, and what only a real database can show.

use std::{os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use antiphon::{
    store::{
        ClaimRecord, CommitOutcome, Conflict, Error, GroupCommit, JournalEntry, MemoryStore, NodeStore, ResponseStore,
        SqlStore, Store, StoreOptions,
    },
    testkit::{ManualClock, postgres, store_conformance},
};
use bytes::Bytes;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement};
use tempfile::TempDir;

#[expect(dead_code, reason = "its main is run by itself")]
#[path = "../../examples/custom_store.rs"]
mod custom_store;
mod groups;
mod outages;
mod races;
mod responses;

use responses::{add_somebody, admit, append, committed, ending, live};

/// A database, and for SQLite the folder that goes with the test.
struct TestDatabase {
    url: String,
    _folder: Option<TempDir>,
}

impl TestDatabase {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("data/antiphon.db").display());
        Self { url, _folder: Some(folder) }
    }

    fn postgres() -> Self {
        Self { url: postgres::fresh_database(), _folder: None }
    }

    /// One of each kind.
    fn both() -> [Self; 2] {
        [Self::sqlite(), Self::postgres()]
    }

    /// Another store on the database, with five connections.
    async fn store(&self) -> SqlStore {
        let store =
            SqlStore::connect(StoreOptions { max_connections: 5, ..StoreOptions::new(&self.url) }).await.unwrap();
        store.migrate().await.unwrap();
        add_somebody(&store).await;
        store
    }

    /// A connection past the store, as an operator's script has it.
    async fn script(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.unwrap()
    }
}

async fn row(db: &DatabaseConnection, sql: &str) -> QueryResult {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(statement).await.unwrap().unwrap()
}

#[tokio::test]
async fn memory_conforms() {
    assert!(store_conformance("memory", Arc::new(MemoryStore::new())).await > 40);
}

#[tokio::test]
async fn the_store_of_the_example_conforms() {
    let (sender, mut endings) = tokio::sync::mpsc::unbounded_channel();
    let memory = Store::from(Arc::new(MemoryStore::new()));
    store_conformance("custom_store", custom_store::reporting(memory, sender)).await;
    assert!(endings.recv().await.is_some());
}

#[tokio::test]
async fn a_lease_is_over_when_its_time_is() {
    let clock = Arc::new(ManualClock::default());
    let store = MemoryStore::with_clock(clock.clone());
    add_somebody(&store).await;
    let lease = Duration::from_secs(15);
    let owner = store.next_epoch("one", lease).await.unwrap();
    let claimant = store.next_epoch("two", 3 * lease).await.unwrap();
    let admission = live();
    committed(&store, admit(&admission)).await;
    let claim = ClaimRecord {
        id: admission.row.id,
        from_epoch: owner,
        node: "two".to_owned(),
        epoch: claimant,
        fold_version: 1,
    };
    let claim = [JournalEntry::Claim(claim)];
    clock.advance(lease - Duration::from_micros(1));
    assert_eq!(store.commit(&claim).await.unwrap(), [CommitOutcome::Conflict(Conflict::Owner)]);
    assert!(store.orphaned("two", claimant, 1).await.unwrap().is_empty());
    clock.advance(Duration::from_micros(1));
    let orphaned = store.orphaned("two", claimant, 1).await.unwrap();
    assert_eq!(orphaned.iter().map(|found| found.id).collect::<Vec<_>>(), [admission.row.id]);
    assert_eq!(store.commit(&claim).await.unwrap(), [CommitOutcome::Committed]);
}

#[tokio::test]
async fn sqlite_conforms() {
    let database = TestDatabase::sqlite();
    store_conformance("sqlite", Arc::new(database.store().await)).await;
}

#[tokio::test]
async fn postgres_conforms() {
    let database = TestDatabase::postgres();
    store_conformance("postgres", Arc::new(database.store().await)).await;
}

#[tokio::test]
async fn the_two_statements_of_outside_scripts_say_how_the_newest_response_stands() {
    const RESPONSE: &str = "SELECT uuid, status FROM responses ORDER BY created_at DESC LIMIT 1";
    const MESSAGE: &str = "SELECT uuid, status, finish_reason FROM assistant_messages ORDER BY created_at DESC LIMIT 1";
    for database in TestDatabase::both() {
        let (store, script) = (database.store().await, database.script().await);
        let admission = live();
        let expect = async |status: &str, message: &str, finish: Option<&str>| {
            let response = row(&script, RESPONSE).await;
            assert_eq!(
                response.try_get::<String>("", "uuid").unwrap(),
                admission.row.id.uuid().hyphenated().to_string()
            );
            assert_eq!(response.try_get::<String>("", "status").unwrap(), status);
            let shown = row(&script, MESSAGE).await;
            assert_eq!(shown.try_get::<String>("", "status").unwrap(), message);
            assert_eq!(shown.try_get::<Option<String>>("", "finish_reason").unwrap().as_deref(), finish);
        };
        committed(&store, admit(&admission)).await;
        expect("in_progress", "in_progress", None).await;
        let mut cancelled = ending(&admission, "the end");
        cancelled.content = Some(Bytes::from_static(b"ciphertext"));
        committed(&store, JournalEntry::End(Box::new(cancelled))).await;
        expect("cancelled", "incomplete", Some("cancelled")).await;
        let shown = row(&script, "SELECT content_enc, created_at FROM assistant_messages").await;
        assert_eq!(shown.try_get::<Option<Vec<u8>>>("", "content_enc").unwrap().unwrap(), b"ciphertext");
        assert_eq!(shown.try_get::<i64>("", "created_at").unwrap(), admission.row.created_at.as_micros());
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_a_terminal_status() {
    for database in TestDatabase::both() {
        let (store, script) = (database.store().await, database.script().await);
        let admission = live();
        committed(&store, admit(&admission)).await;
        script.execute_unprepared("UPDATE responses SET status = 'queued'").await.unwrap();
        committed(&store, JournalEntry::End(Box::new(ending(&admission, "the end")))).await;
        for status in ["in_progress", "completed", "failed"] {
            let refused = script.execute_unprepared(&format!("UPDATE responses SET status = '{status}'")).await;
            assert!(refused.unwrap_err().to_string().contains("a terminal status never changes"));
        }
        script.execute_unprepared("UPDATE responses SET status = 'cancelled', model = 'm'").await.unwrap();
        assert!(script.execute_unprepared("UPDATE responses SET status = 'nonsense'").await.is_err());
    }
}

#[tokio::test]
async fn a_corrupt_row_is_an_error_and_never_a_default() {
    for database in TestDatabase::both() {
        let (store, script) = (database.store().await, database.script().await);
        for (column, value) in [("cause", "'nonsense'"), ("user_id", "'nobody'"), ("prompt_tokens", "-1")] {
            let admission = live();
            committed(&store, admit(&admission)).await;
            script.execute_unprepared(&format!("UPDATE responses SET {column} = {value}")).await.unwrap();
            let answer = store.response(admission.row.id).await;
            assert!(matches!(answer, Err(Error::Corrupt { what }) if what.ends_with(column)), "{column}: {answer:?}");
            script.execute_unprepared("DELETE FROM responses").await.unwrap();
        }
    }
}

#[tokio::test]
async fn many_readers_share_a_small_pool() {
    for database in TestDatabase::both() {
        let store = Arc::new(database.store().await);
        let admission = live();
        committed(store.as_ref(), admit(&admission)).await;
        let readers: Vec<_> = (0..64)
            .map(|_| {
                let (store, id) = (Arc::clone(&store), admission.row.id);
                tokio::spawn(async move { store.segments(id, 0, 10).await.map(|log| log.len()) })
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.await.unwrap().unwrap(), 1);
        }
    }
}

#[tokio::test]
async fn stores_that_migrate_together_wait_for_each_other() {
    for database in TestDatabase::both() {
        let (one, two) = tokio::join!(database.store(), database.store());
        one.ping().await.unwrap();
        two.ping().await.unwrap();
    }
}

#[test]
fn a_store_is_used_from_any_runtime_and_dropped_inside_of_one() {
    for database in TestDatabase::both() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = runtime().block_on(database.store());
        let admission = live();
        runtime().block_on(committed(&store, admit(&admission)));
        runtime().block_on(async move {
            committed(&store, append(&admission, 0, 1, "b")).await;
            drop(store);
        });
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unavailable() {
    let mut options = StoreOptions::new("postgres://nobody:secret@127.0.0.1:1/none");
    options.acquire_timeout = Duration::from_millis(200);
    assert!(!format!("{options:?}").contains("secret"));
    let error = SqlStore::connect(options).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    for database in TestDatabase::both() {
        let store = database.store().await;
        store.close().await.unwrap();
        assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
        assert!(matches!(store.commit(&[admit(&live())]).await, Err(Error::Unavailable(_))));
    }
}

#[tokio::test]
async fn an_sqlite_file_is_for_its_owner_alone() {
    let database = TestDatabase::sqlite();
    let _store = database.store().await;
    let path = database.url.strip_prefix("sqlite://").unwrap();
    for file in [path.to_owned(), format!("{path}-wal")] {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}
