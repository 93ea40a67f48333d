//! What all stores decide alike.

use super::{Claim, Conflict, EndingRecord, ResponseRow};

impl Conflict {
    /// Why an entry of the owner with `epoch` found no place; `row` is the response, if there is one.
    pub(crate) fn of(row: Option<&ResponseRow>, epoch: i64) -> Self {
        match row {
            None => Self::Missing,
            Some(row) if row.status.is_terminal() => Self::Ended,
            Some(row) if row.epoch != epoch => Self::Owner,
            Some(_) => Self::Position,
        }
    }
}

impl ResponseRow {
    /// Whether both were admitted as the same response, whatever became of it since.
    pub(crate) fn same_admission(&self, other: &Self) -> bool {
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

    /// Whether the response, of which nothing but the row is kept, ended by this very entry.
    pub(crate) fn ended_by(&self, ending: &EndingRecord) -> bool {
        self.status == ending.status && self.ended_at == Some(ending.ended_at)
    }

    /// Whether the response has the owner that the claim would give it.
    pub(crate) fn claimed_by(&self, claim: &Claim) -> bool {
        self.node == claim.node && self.epoch == claim.epoch
    }
}
