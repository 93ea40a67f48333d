//! The database, read past the servers.

use std::collections::{BTreeMap, BTreeSet};

use antiphon::protocol::ResponseId;
use anyhow::Context as _;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, QueryResult, Statement, Value};

const LIVE: &str = "status IN ('queued', 'in_progress')";

/// A connection.
#[derive(Debug)]
pub(crate) struct Record(DatabaseConnection);

/// A response's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) status: String,
    pub(crate) cause: Option<String>,
    pub(crate) stored: bool,
    pub(crate) ended_at: Option<i64>,
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) turn: i32,
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) estimated: bool,
}

impl Record {
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        Ok(Self(Database::connect(options).await?))
    }

    pub(crate) async fn close(self) -> anyhow::Result<()> {
        Ok(self.0.close().await?)
    }

    /// How many foreground responses that a node had before that time are neither ended nor taken over.
    pub(crate) async fn interrupted(&self, node: &str, before: i64) -> anyhow::Result<i64> {
        let sql =
            format!("SELECT COUNT(*) FROM responses WHERE {LIVE} AND NOT background AND node = $1 AND created_at < $2");
        self.number(&sql, vec![node.into(), before.into()]).await
    }

    /// The ids of the responses that have not ended.
    pub(crate) async fn live(&self) -> anyhow::Result<Vec<String>> {
        let rows = self.rows(&format!("SELECT uuid, node FROM responses WHERE {LIVE}"), vec![]).await?;
        rows.iter().map(|row| Ok(format!("{} of {}", id(row, "uuid")?, row.try_get::<String>("", "node")?))).collect()
    }

    /// All responses.
    pub(crate) async fn responses(&self) -> anyhow::Result<BTreeMap<String, Row>> {
        let rows = self.rows("SELECT uuid, status, cause, stored, ended_at FROM responses", vec![]).await?;
        let read = |row: &QueryResult| {
            let read = Row {
                status: row.try_get("", "status")?,
                cause: row.try_get("", "cause")?,
                stored: row.try_get("", "stored")?,
                ended_at: row.try_get("", "ended_at")?,
            };
            Ok((id(row, "uuid")?, read))
        };
        rows.iter().map(read).collect()
    }

    /// The ledger.
    pub(crate) async fn ledger(&self) -> anyhow::Result<BTreeMap<String, Vec<Used>>> {
        let sql = "SELECT response, turn, input_tokens, output_tokens, estimated FROM usage_records ORDER BY turn";
        let mut ledger: BTreeMap<String, Vec<Used>> = BTreeMap::new();
        for row in self.rows(sql, vec![]).await? {
            ledger.entry(id(&row, "response")?).or_default().push(Used {
                turn: row.try_get("", "turn")?,
                input: row.try_get("", "input_tokens")?,
                output: row.try_get("", "output_tokens")?,
                estimated: row.try_get("", "estimated")?,
            });
        }
        Ok(ledger)
    }

    /// The responses that are not stored and of which something is there besides the row.
    pub(crate) async fn content_of_unstored(&self) -> anyhow::Result<BTreeSet<String>> {
        let sql = "SELECT uuid FROM responses WHERE NOT stored AND (content_enc IS NOT NULL \
                   OR uuid IN (SELECT response FROM items) OR uuid IN (SELECT response FROM segments))";
        self.rows(sql, vec![]).await?.iter().map(|row| id(row, "uuid")).collect()
    }

    /// The responses of users who are not there.
    pub(crate) async fn of_nobody(&self) -> anyhow::Result<BTreeSet<String>> {
        let sql = "SELECT uuid FROM responses WHERE user_id NOT IN (SELECT id FROM users)";
        self.rows(sql, vec![]).await?.iter().map(|row| id(row, "uuid")).collect()
    }

    /// How many items and segments belong to no response.
    pub(crate) async fn orphans(&self) -> anyhow::Result<i64> {
        let of = |table| format!("(SELECT COUNT(*) FROM {table} WHERE response NOT IN (SELECT uuid FROM responses))");
        self.number(&format!("SELECT {} + {}", of("items"), of("segments")), vec![]).await
    }

    async fn number(&self, sql: &str, values: Vec<Value>) -> anyhow::Result<i64> {
        let rows = self.rows(sql, values).await?;
        Ok(rows.first().context("no row")?.try_get_by_index(0)?)
    }

    async fn rows(&self, sql: &str, values: Vec<Value>) -> anyhow::Result<Vec<QueryResult>> {
        let statement = Statement::from_sql_and_values(self.0.get_database_backend(), sql, values);
        Ok(self.0.query_all_raw(statement).await?)
    }
}

/// A response's id as clients know it.
fn id(row: &QueryResult, column: &str) -> anyhow::Result<String> {
    let text: String = row.try_get("", column)?;
    Ok(ResponseId::from_uuid(text.parse()?).to_string())
}
