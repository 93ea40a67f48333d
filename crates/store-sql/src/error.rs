//! Errors of the database, and which of them mean that it is not available.

use std::sync::Arc;

use sea_orm::{DbErr, RuntimeErr, sqlx};

use antiphon_store::Error;

/// The tables were changed by a later version of this program, in a way that this one does not know. It is the source
/// of an [`Error::Failed`].
#[derive(Debug, thiserror::Error)]
#[error("a newer version of Antiphon has used it ({0})")]
pub struct NewerTables(
    /// The first change that is not known here.
    pub String,
);

/// The error of a call inside this crate. The caller gets an [`Error`], without the types of the library below.
#[derive(Debug)]
pub(super) struct SqlError(Error);

impl From<Error> for SqlError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<DbErr> for SqlError {
    fn from(error: DbErr) -> Self {
        let unavailable = is_unavailable(&error);
        Self(if unavailable { Error::Unavailable(Box::new(error)) } else { Error::Failed(Box::new(error)) })
    }
}

/// An error of a pool that was being opened.
impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))).into()
    }
}

impl From<SqlError> for Error {
    fn from(SqlError(error): SqlError) -> Self {
        error
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn is_unavailable(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match error.as_ref() {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => true,
                sqlx::Error::Database(error) => {
                    let code = error.code().unwrap_or_default();
                    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                        postgres_unavailable(&code)
                    } else {
                        sqlite_unavailable(&code)
                    }
                }
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether a SQLSTATE means that the database is unavailable: connection failures (08), too few resources (53),
/// intervention by an operator or a timeout (57), IO errors (58), and what is worth another try: locks, deadlocks, a
/// server that has become read-only.
fn postgres_unavailable(code: &str) -> bool {
    const CLASSES: [&str; 4] = ["08", "53", "57", "58"];
    const CODES: [&str; 5] = ["40001", "40P01", "55P03", "25P03", "25006"];
    CODES.contains(&code) || CLASSES.iter().any(|class| code.starts_with(class))
}

/// Whether a result code, the low byte of the extended one, means that the database is unavailable: busy, locked, IO
/// error, full, cannot open.
fn sqlite_unavailable(code: &str) -> bool {
    const CODES: [i32; 5] = [5, 6, 10, 13, 14];
    code.parse::<i32>().is_ok_and(|code| CODES.contains(&(code & 0xff)))
}
