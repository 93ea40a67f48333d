//! Decisions that all stores make in the same way.

use super::{AdmissionRecord, ClaimRecord, CommitOutcome, Conflict, EndingRecord, ResponseRow, UsageRecord};
use antiphon_domain::{Attempt, Ending, RecordedEnding, Timestamp};
use antiphon_protocol::{Status, Usage};

/// What an admission's idempotency key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It claims none, or claims one that nobody had.
    Free,
    /// The response itself has claimed it before.
    Own,
    /// Another response has it.
    Taken,
}

/// What is to be done with an admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdmissionDecision {
    /// It is to be written.
    Write,
    /// A response of its id is there. The admission is committed if that was admitted as the same response and its log
    /// begins with the same segment; else it is in conflict for its position.
    Compare {
        /// Whether it was admitted as the same response.
        same_row: bool,
    },
    /// It is not written.
    Refuse(Conflict),
}

/// What a store knows about a new response while it holds its locks.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionContext<'a> {
    /// The response of its id, if there is one.
    pub row: Option<&'a ResponseRow>,
    /// What its idempotency key allows.
    pub key: KeyState,
    /// Whether its user exists and is not being deleted.
    pub has_user: bool,
    /// Whether the response that it continues exists; true if it continues none.
    pub has_previous: bool,
}

impl AdmissionRecord {
    /// Decides about an admission.
    ///
    /// An admission whose answer was lost is submitted again. If its response was deleted meanwhile it must not come
    /// back: its idempotency key, which stays, says so. Without a key nobody outside can know the response's id before
    /// the answer, and so delete it, but by deleting its user.
    #[must_use]
    pub fn decide(&self, context: &AdmissionContext<'_>) -> AdmissionDecision {
        if let Some(row) = context.row {
            return AdmissionDecision::Compare { same_row: row.same_admission(&self.row) };
        }
        if !context.has_user {
            return AdmissionDecision::Refuse(Conflict::UserDeleted);
        }
        match context.key {
            KeyState::Taken => AdmissionDecision::Refuse(Conflict::KeyTaken),
            KeyState::Own => AdmissionDecision::Refuse(Conflict::Missing),
            KeyState::Free if !context.has_previous => AdmissionDecision::Refuse(Conflict::PreviousMissing),
            KeyState::Free => AdmissionDecision::Write,
        }
    }
}

impl EndingRecord {
    /// Decides whether an ending is to be written, or else what became of it; `row` is the response, if there is one.
    /// `has_segment` says whether the last segment, if it has one, is in the log, or can be added to it.
    ///
    /// # Errors
    /// The outcome of an ending that is not to be written, because it is there already or in conflict.
    pub fn decide(&self, row: Option<&ResponseRow>, has_segment: bool) -> Result<(), CommitOutcome> {
        let conflict = match row {
            Some(row) if row.is_owned_by(self.epoch) => {
                return if has_segment { Ok(()) } else { Err(CommitOutcome::Conflict(Conflict::Position)) };
            }
            row => Conflict::of(row, self.epoch),
        };
        let ended_so = match &self.last_segment {
            Some(_) => has_segment,
            None => row.is_some_and(|row| row.ended_by(self)),
        };
        Err(if conflict == Conflict::Ended && ended_so {
            CommitOutcome::Committed
        } else {
            CommitOutcome::Conflict(conflict)
        })
    }
}

impl ClaimRecord {
    /// What became of a claim that could not be written; `row` is the response, if there is one.
    #[must_use]
    pub fn refused(&self, row: Option<&ResponseRow>) -> CommitOutcome {
        match row {
            None => CommitOutcome::Conflict(Conflict::Missing),
            Some(row) if row.status.is_terminal() => CommitOutcome::Conflict(Conflict::Ended),
            Some(row) if row.claimed_by(self) => CommitOutcome::Committed,
            Some(_) => CommitOutcome::Conflict(Conflict::Owner),
        }
    }
}

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

    /// Whether the response has not ended and belongs to that epoch.
    #[must_use]
    pub fn is_owned_by(&self, epoch: i64) -> bool {
        !self.status.is_terminal() && self.epoch == epoch
    }

    /// The response begins, unless it has begun already.
    pub fn begin(&mut self) {
        self.status = Status::InProgress;
    }

    /// The response ends.
    pub fn end(&mut self, ending: &EndingRecord) {
        self.status = ending.status;
        self.cause = ending.cause;
        self.finish_reason.clone_from(&ending.finish_reason);
        self.ended_at = Some(ending.ended_at);
    }

    /// The response gets another owner.
    pub fn take_over(&mut self, claim: &ClaimRecord) {
        self.node.clone_from(&claim.node);
        self.epoch = claim.epoch;
        self.fold_version = self.fold_version.max(claim.fold_version);
    }

    /// Whether both rows were admitted as the same response, even if it has changed since.
    #[must_use]
    pub fn same_admission(&self, other: &Self) -> bool {
        let admitted = |row: &Self| Self {
            node: String::new(),
            epoch: 0,
            fold_version: other.fold_version,
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
