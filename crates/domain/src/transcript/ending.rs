//! How a response ends.

use crate::{Cause, FinishReason, Limit, Timestamp};
use antiphon_protocol::Status;

/// The reason that decides how a response ends. The first one in the log counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The provider reported that it is finished.
    Finished(FinishReason),
    /// A cancel was requested.
    Cancelled,
    /// The last client left.
    ClientLost,
    /// A limit on the tools of this server was reached.
    ToolLimit(Limit),
    /// Something failed.
    Failed(Cause),
}

impl Verdict {
    /// The verdict of a limit that was reached.
    #[must_use]
    pub fn of_limit(limit: Limit) -> Self {
        match limit {
            Limit::OutputBytes => Self::Failed(Cause::ContentTooLarge),
            Limit::ToolCalls | Limit::Turns => Self::ToolLimit(limit),
        }
    }

    /// The ending that follows.
    #[must_use]
    pub fn ending(&self) -> Ending {
        let (status, cause, incomplete_reason) = match self {
            Self::Finished(FinishReason::Length) => (Status::Incomplete, None, Some("max_output_tokens")),
            Self::Finished(FinishReason::ContentFilter) => (Status::Incomplete, None, Some("content_filter")),
            Self::Finished(FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other(_)) => {
                (Status::Completed, None, None)
            }
            Self::Cancelled => (Status::Cancelled, None, None),
            Self::ClientLost => (Status::Incomplete, None, Some("client_disconnected")),
            Self::ToolLimit(Limit::Turns) => (Status::Incomplete, None, Some("max_turns")),
            Self::ToolLimit(Limit::ToolCalls | Limit::OutputBytes) => {
                (Status::Incomplete, None, Some("max_tool_calls"))
            }
            Self::Failed(cause) => (Status::Failed, Some(*cause), None),
        };
        Ending { status, cause, incomplete_reason, finish_reason: self.finish_reason() }
    }

    fn finish_reason(&self) -> Option<String> {
        match self {
            // A provider's word goes into a column, and PostgreSQL's text can't hold NUL.
            Self::Finished(reason) => Some(reason.as_str().chars().filter(|char| !char.is_control()).collect()),
            Self::Cancelled => Some("cancelled".to_owned()),
            Self::ClientLost | Self::ToolLimit(_) | Self::Failed(_) => None,
        }
    }
}

/// How a response ended and when, as it is recorded beside its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEnding {
    /// How.
    pub ending: Ending,
    /// When.
    pub at: Timestamp,
}

impl RecordedEnding {
    /// Whether a log may lack this ending. Who ends a response without being able to read its log lets it fail or cancels
    /// it; any other log that does not say how it ended has lost what was written last.
    #[must_use]
    pub const fn may_stand_alone(&self) -> bool {
        matches!(self.ending.status, Status::Failed | Status::Cancelled)
    }
}

/// How a response ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The terminal status.
    pub status: Status,
    /// Why it failed.
    pub cause: Option<Cause>,
    /// Why it is incomplete, as the wire has it.
    pub incomplete_reason: Option<&'static str>,
    /// The provider's own word, or `cancelled`.
    pub finish_reason: Option<String>,
}
