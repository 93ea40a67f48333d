//! Decisions that all stores make in the same way.

use super::{ClaimRecord, Conflict, EndingRecord, ResponseRow, UsageRecord};
use antiphon_domain::{Attempt, Ending, RecordedEnding, Timestamp};
use antiphon_protocol::Usage;

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

/// The provider's name in the usage record of a response whose log was not read.
const UNKNOWN_PROVIDER: &str = "unknown";

impl EndingRecord {
    /// The ending of a response of which nothing but the row is known: one that is not stored, or one whose log is
    /// given up. Its usage is its prompt, which was counted at admission.
    #[must_use]
    pub fn without_log(row: &ResponseRow, ending: Ending, at: Timestamp) -> Self {
        let input_tokens = u64::try_from(row.prompt_tokens).unwrap_or(0);
        let usage = UsageRecord {
            response: row.id,
            user: row.user,
            turn: Attempt::FIRST.turn,
            provider: UNKNOWN_PROVIDER.to_owned(),
            model: row.model.clone(),
            usage: Usage { input_tokens, total_tokens: input_tokens, ..Usage::default() },
            estimated: true,
            at,
        };
        let Ending { status, cause, finish_reason, incomplete_reason: _ } = ending;
        Self {
            id: row.id,
            epoch: row.epoch,
            status,
            cause,
            finish_reason,
            ended_at: at,
            content: None,
            last_segment: None,
            items: Vec::new(),
            usage: vec![usage],
            releases_key: false,
        }
    }
}

impl ResponseRow {
    /// How it ended and when; none if it has not ended.
    #[must_use]
    pub fn recorded_ending(&self) -> Option<RecordedEnding> {
        let ending = Ending {
            status: self.status,
            cause: self.cause,
            // Nobody records an incomplete ending without its log.
            incomplete_reason: None,
            finish_reason: self.finish_reason.clone(),
        };
        let at = self.ended_at.filter(|_| self.status.is_terminal())?;
        Some(RecordedEnding { ending, at })
    }

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
