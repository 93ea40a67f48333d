//! The database past the server, as an operator's script has it.

use super::capture::PATIENCE;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement};

/// A connection to it.
pub(crate) async fn open(url: &str) -> DatabaseConnection {
    Database::connect(url).await.unwrap()
}

async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap()
}

/// The one number that a statement asks for.
pub(crate) async fn count(db: &DatabaseConnection, sql: &str) -> i64 {
    rows(db, sql).await[0].try_get_by_index(0).unwrap()
}

/// The first column of all rows, as text; what is NULL is empty.
pub(crate) async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let text = |row: &QueryResult| row.try_get_by_index::<Option<String>>(0).unwrap().unwrap_or_default();
    rows(db, sql).await.iter().map(text).collect()
}

/// Waits until a statement has that one text.
pub(crate) async fn until_text(db: &DatabaseConnection, sql: &str, text: &str) {
    let seen = async { while texts(db, sql).await != [text] {} };
    assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "{sql} is not {text}: {:?}", texts(db, sql).await);
}

/// The first column of the one row, as bytes.
pub(crate) async fn bytes(db: &DatabaseConnection, sql: &str) -> Vec<u8> {
    rows(db, sql).await[0].try_get_by_index(0).unwrap()
}

/// Carries out a statement, with its values.
pub(crate) async fn execute(db: &DatabaseConnection, sql: &str, values: Vec<sea_orm::Value>) -> u64 {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.execute_raw(statement).await.unwrap().rows_affected()
}
