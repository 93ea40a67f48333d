//! Errors of the database, and what they say about another try.

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

/// The tables lack a change that this version works with. It is the source of an [`Error::Failed`].
#[derive(Debug, thiserror::Error)]
#[error("an older version of Antiphon uses it ({0} is missing)")]
pub struct OlderTables(
    /// The first change that is missing.
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

impl SqlError {
    pub(super) fn is_full(&self) -> bool {
        matches!(self.0, Error::Full(_))
    }

    /// What this call waited for or found has changed meanwhile: the same call may succeed at once.
    pub(super) fn contended(why: &'static str) -> Self {
        Self(Error::Contended(why.into()))
    }
}

impl From<DbErr> for SqlError {
    fn from(error: DbErr) -> Self {
        Self(match meaning(&error) {
            Meaning::Unavailable => Error::Unavailable(Box::new(error)),
            Meaning::TimedOut => Error::TimedOut(Box::new(error)),
            Meaning::Full => Error::Full(Box::new(error)),
            Meaning::Contended => Error::Contended(Box::new(error)),
            Meaning::Failed => Error::Failed(Box::new(error)),
        })
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

/// What an error of the database says about another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Unavailable,
    TimedOut,
    Full,
    Contended,
    Failed,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn meaning(error: &DbErr) -> Meaning {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Meaning::Unavailable,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match error.as_ref() {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => Meaning::Unavailable,
                sqlx::Error::Database(error) => {
                    let code = error.code().unwrap_or_default();
                    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                        meaning_for_postgres(&code)
                    } else {
                        meaning_for_sqlite(&code)
                    }
                }
                _ => Meaning::Failed,
            }
        }
        _ => Meaning::Failed,
    }
}

/// What a SQLSTATE means. Contended: a deadlock, a lock that was not got in time, a conflict of serializable
/// transactions. Timed out: a statement, or the pause between two of a transaction. Unavailable: connection failures
/// (08), too few resources (53; 53100 is a full disk), intervention by an operator (57), IO errors (58), a server that has become read-only.
fn meaning_for_postgres(code: &str) -> Meaning {
    const UNAVAILABLE: [&str; 4] = ["08", "53", "57", "58"];
    match code {
        "40001" | "40P01" | "55P03" => Meaning::Contended,
        "57014" | "25P03" => Meaning::TimedOut,
        "25006" => Meaning::Unavailable,
        "53100" => Meaning::Full,
        code if UNAVAILABLE.iter().any(|class| code.starts_with(class)) => Meaning::Unavailable,
        _ => Meaning::Failed,
    }
}

/// A write to the database's file or the log beside it failed, and not because the disk is full: a quota or a limit of the
/// process may have let it not grow, or the disk has an error or became read-only.
const WRITE_FAILED: i32 = 10 | (3 << 8);

/// Whether it is open why the database could not be written.
pub(super) fn is_failed_write(error: &Error) -> bool {
    let Error::Unavailable(source) = error else { return false };
    match source.downcast_ref() {
        Some(DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) => {
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            code.is_some_and(|code| code == WRITE_FAILED.to_string())
        }
        _ => false,
    }
}

/// What a result code means; the low byte of an extended one says what it is about. Full: the disk let the files not
/// grow. Contended: busy, locked. Unavailable: IO error, a file that may not be written to, cannot open.
fn meaning_for_sqlite(code: &str) -> Meaning {
    /// The database file, or the log beside it.
    const FULL: i32 = 13;
    /// The index of the log.
    const INDEX_CAN_NOT_GROW: i32 = 10 | (19 << 8);
    let Ok(code) = code.parse::<i32>() else { return Meaning::Failed };
    match (code, code & 0xff) {
        (FULL | INDEX_CAN_NOT_GROW, _) => Meaning::Full,
        (_, 5 | 6) => Meaning::Contended,
        (_, 8 | 10 | 14) => Meaning::Unavailable,
        _ => Meaning::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::{Meaning, meaning_for_postgres, meaning_for_sqlite};

    #[test]
    fn the_codes_of_the_databases_tell_slow_from_away_and_from_broken() {
        let postgres = [
            ("40001", Meaning::Contended),
            ("40P01", Meaning::Contended),
            ("55P03", Meaning::Contended),
            ("57014", Meaning::TimedOut),
            ("25P03", Meaning::TimedOut),
            ("08006", Meaning::Unavailable),
            ("53300", Meaning::Unavailable),
            ("53100", Meaning::Full),
            ("57P01", Meaning::Unavailable),
            ("58030", Meaning::Unavailable),
            ("25006", Meaning::Unavailable),
            ("23505", Meaning::Failed),
            ("", Meaning::Failed),
        ];
        for (code, meaning) in postgres {
            assert_eq!(meaning_for_postgres(code), meaning, "{code}");
        }
        // The last one is the extended code of a database that is busy with a recovery.
        let sqlite = [("5", Meaning::Contended), ("6", Meaning::Contended), ("261", Meaning::Contended)];
        let gone = [
            ("10", Meaning::Unavailable),
            ("8", Meaning::Unavailable),
            ("14", Meaning::Unavailable),
            ("778", Meaning::Unavailable),
        ];
        let full = [("13", Meaning::Full), ("4874", Meaning::Full)];
        for (code, meaning) in
            sqlite.into_iter().chain(gone).chain(full).chain([("19", Meaning::Failed), ("", Meaning::Failed)])
        {
            assert_eq!(meaning_for_sqlite(code), meaning, "{code}");
        }
    }
}
