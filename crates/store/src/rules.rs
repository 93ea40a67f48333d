//! Decisions that all stores make in the same way.

use super::{ClaimRecord, Conflict, EndingRecord, ResponseRow};

impl Conflict {
    /// Why an entry of the owner with `epoch` could not be written; `row` is the response, if there is one.
    #[must_use]
    pub fn of(row: Option<&ResponseRow>, epoch: i64) -> Self {
        match row {
            None => Self::Missing,
            Some(row) if row.status.is_terminal() => Self::Ended,
            Some(row) if row.epoch != epoch => Self::Owner,
            Some(_) => Self::Position,
        }
    }
}

impl ResponseRow {
    /// Whether both rows were admitted as the same response, even if it has changed since.
    #[must_use]
    pub fn same_admission(&self, other: &Self) -> bool {
        let admitted = |row: &Self| Self {
            node: String::new(),
            epoch: 0,
            status: other.status,
            cause: None,
            finish_reason: None,
            ended_at: None,
            ..row.clone()
        };
        admitted(self) == admitted(other)
    }

    /// Whether the response, of which only the row is kept, ended by exactly this entry.
    #[must_use]
    pub fn ended_by(&self, ending: &EndingRecord) -> bool {
        self.status == ending.status && self.ended_at == Some(ending.ended_at)
    }

    /// Whether the response has the owner that the claim would give it.
    #[must_use]
    pub fn claimed_by(&self, claim: &ClaimRecord) -> bool {
        self.node == claim.node && self.epoch == claim.epoch
    }
}
