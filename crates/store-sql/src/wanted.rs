//! Rows that a statement takes as a table, so that it works on any number of them in one round trip.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, QueryResult, Statement, Value, sea_query::ArrayType};

use super::error::SqlError;

/// The type of a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum ColumnKind {
    Text,
    Number,
    Bytes,
}

/// The columns of a table: their names and types.
pub(super) type Columns<const N: usize> = [(&'static str, ColumnKind); N];

/// A table `wanted` for one statement. Its values are never null: the arrays of PostgreSQL's driver can't hold that. A
/// column that may be null has a value for it, which the statement turns back.
#[derive(Debug)]
pub(super) struct WantedRows<const N: usize> {
    columns: Columns<N>,
    rows: Vec<[Value; N]>,
}

impl<const N: usize> WantedRows<N> {
    pub(super) fn new(columns: Columns<N>, rows: impl IntoIterator<Item = [Value; N]>) -> Self {
        Self { columns, rows: rows.into_iter().collect() }
    }

    /// Runs a statement that begins after the table's definition, and returns the rows that it returns. Without rows
    /// it is not run.
    pub(super) async fn query(
        self,
        transaction: &DatabaseTransaction,
        sql: &str,
    ) -> Result<Vec<QueryResult>, SqlError> {
        let mut found = Vec::new();
        for statement in self.statements(transaction.get_database_backend(), sql) {
            found.extend(transaction.query_all_raw(statement).await?);
        }
        Ok(found)
    }

    /// Runs a statement that begins after the table's definition, and returns how many rows it has written. Without
    /// rows it is not run.
    pub(super) async fn execute(self, transaction: &DatabaseTransaction, sql: &str) -> Result<u64, SqlError> {
        let mut written = 0;
        for statement in self.statements(transaction.get_database_backend(), sql) {
            written += transaction.execute_raw(statement).await?.rows_affected();
        }
        Ok(written)
    }

    fn statements(self, backend: DbBackend, sql: &str) -> Vec<Statement> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let begin = format!("WITH wanted({}) AS (", names.join(", "));
        if backend == DbBackend::Postgres {
            let text = format!("{begin}SELECT * FROM UNNEST({})) {sql}", array_parameters(&self.columns));
            return vec![Statement::from_sql_and_values(backend, text, arrays(&self.columns, self.rows))];
        }
        self.rows
            .chunks(most_rows(N))
            .map(|rows| {
                let padded = rows.len().next_power_of_two();
                let text =
                    format!("{begin}SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL) {sql}", tuples(padded, N));
                let nulls = (rows.len()..padded).flat_map(|_| self.columns.map(|(_, kind)| kind.null()));
                Statement::from_sql_and_values(backend, text, rows.iter().flatten().cloned().chain(nulls))
            })
            .collect()
    }
}

impl ColumnKind {
    const fn null(self) -> Value {
        match self {
            Self::Text => Value::String(None),
            Self::Number => Value::BigInt(None),
            Self::Bytes => Value::Bytes(None),
        }
    }

    const fn array(self) -> (&'static str, ArrayType) {
        match self {
            Self::Text => ("text[]", ArrayType::String),
            Self::Number => ("bigint[]", ArrayType::BigInt),
            Self::Bytes => ("bytea[]", ArrayType::Bytes),
        }
    }
}

/// On PostgreSQL a column is one value, an array: the text of the statement is the same for any number of rows, and a
/// connection prepares it once.
fn array_parameters<const N: usize>(columns: &Columns<N>) -> String {
    let parameter = |(place, (_, kind)): (usize, &(&str, ColumnKind))| format!("${}::{}", place + 1, kind.array().0);
    columns.iter().enumerate().map(parameter).collect::<Vec<_>>().join(", ")
}

fn arrays<const N: usize>(columns: &Columns<N>, rows: Vec<[Value; N]>) -> Vec<Value> {
    let mut arrays: [Vec<Value>; N] = std::array::from_fn(|_| Vec::with_capacity(rows.len()));
    for row in rows {
        for (array, value) in arrays.iter_mut().zip(row) {
            array.push(value);
        }
    }
    let typed = columns.iter().zip(arrays);
    typed.map(|((_, kind), values)| Value::Array(kind.array().1, Some(Box::new(values)))).collect()
}

/// The most rows of a statement on SQLite, which takes 32,766 values. A power of two, as are all numbers of rows there,
/// so that a connection prepares few different statements; what is left over is filled with nulls.
const fn most_rows(columns: usize) -> usize {
    const MOST_VALUES: usize = 32_766;
    let most = MOST_VALUES / columns;
    if most.is_power_of_two() { most } else { most.next_power_of_two() / 2 }
}

fn tuples(rows: usize, columns: usize) -> String {
    let tuple = format!("({})", vec!["?"; columns].join(", "));
    vec![tuple; rows].join(", ")
}
