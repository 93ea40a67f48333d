//! The recovery of a response whose process is gone: a table over how far its log goes.

use crate::{Attempt, Cause, DisconnectPolicy, Fact, RunPolicy, ServerCalls, Timestamp, Transcript, Verdict};
use antiphon_protocol::Status;

/// How far a response is, by its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunProgress {
    /// The ending is decided.
    Decided,
    /// No provider was asked.
    NothingOpened,
    /// A provider is at work, in a call of which this is all that is needed to listen to it again.
    CallTraceable(LostCall),
    /// A provider may be at work, in a call that can't be found again; or its call has failed.
    CallLost,
    /// This server runs the tools that a turn asked for.
    ToolsRunning(ServerCalls),
    /// All tools that a turn asked for are done. This attempt asked for them.
    BetweenTurns(Attempt),
}

/// The action of whoever takes over a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// End it: the fold decides how.
    Settle,
    /// Run it: no provider was asked yet.
    Run,
    /// Listen again to the provider that may still be at work for it.
    Reattach(LostCall),
    /// Go on with these tools.
    RunTools(ServerCalls),
    /// Begin the turn after the one of this attempt.
    NextTurn(Attempt),
}

/// A call of a provider whose listener is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCall {
    /// Which call.
    pub attempt: Attempt,
    /// The provider's name in the configuration.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// The provider's own id of its response.
    pub provider_response_id: String,
}

/// Why a response is ended from its log alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleReason {
    /// Its supervisor failed.
    SupervisorFailed,
    /// Its supervisor failed before any client was told of a success: its caller was told to try again, or will be.
    FailedUnannounced,
    /// The process, or the registry, that ran it is gone.
    NodeLost,
    /// A cancel was requested.
    Cancelled,
}

/// The client that would see the end of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// None: it runs in the background.
    Background,
    /// Its client, who can come back.
    Returning,
    /// Its client, who can't.
    Gone,
}

impl Transcript {
    /// What follows for a stored response of which this is the whole log.
    ///
    /// A provider that was asked is never asked again in the same turn, because it may have worked and may bill that.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        let (Some(request), Some(policy)) = (self.request(), self.run_policy()) else { return Recovery::Settle };
        let audience = if request.background { Audience::Background } else { foreground(policy) };
        match (self.progress(), audience) {
            (RunProgress::NothingOpened, Audience::Background) => Recovery::Run,
            (RunProgress::CallTraceable(call), Audience::Background | Audience::Returning) => Recovery::Reattach(call),
            (RunProgress::ToolsRunning(calls), Audience::Background) => Recovery::RunTools(calls),
            (RunProgress::BetweenTurns(attempt), Audience::Background) => Recovery::NextTurn(attempt),
            (RunProgress::Decided | RunProgress::CallLost, _)
            | (
                RunProgress::NothingOpened | RunProgress::ToolsRunning(_) | RunProgress::BetweenTurns(_),
                Audience::Returning | Audience::Gone,
            )
            | (RunProgress::CallTraceable(_), Audience::Gone) => Recovery::Settle,
        }
    }
}

const fn foreground(policy: &RunPolicy) -> Audience {
    match policy.disconnect {
        DisconnectPolicy::Continue => Audience::Returning,
        DisconnectPolicy::Grace(_) if policy.resumable => Audience::Returning,
        DisconnectPolicy::Grace(_) | DisconnectPolicy::Cancel => Audience::Gone,
    }
}

impl Recovery {
    /// Whether a response is taken over, for that reason, rather than ended. One that is cancelled is listened to
    /// again because its provider has to be stopped.
    #[must_use]
    pub const fn resumes(&self, reason: SettleReason) -> bool {
        match (self, reason) {
            (Self::Run | Self::Reattach(_) | Self::RunTools(_) | Self::NextTurn(_), SettleReason::NodeLost)
            | (Self::Reattach(_), SettleReason::Cancelled) => true,
            (
                Self::Settle | Self::Run | Self::Reattach(_) | Self::RunTools(_) | Self::NextTurn(_),
                SettleReason::SupervisorFailed | SettleReason::FailedUnannounced | SettleReason::Cancelled,
            )
            | (Self::Settle, SettleReason::NodeLost) => false,
        }
    }
}

impl SettleReason {
    /// The fact that the log gets for this reason.
    #[must_use]
    pub const fn fact(self, at: Timestamp) -> Fact {
        match self {
            Self::SupervisorFailed | Self::FailedUnannounced => Fact::ServerFailed { at, cause: Cause::InternalError },
            Self::NodeLost => Fact::NodeLost { at },
            Self::Cancelled => Fact::CancelRequested { at },
        }
    }

    /// Whether the ending releases the response's idempotency key, so that its request may be repeated. `transcript` is
    /// the fold of its log with the ending; none if it is not stored.
    #[must_use]
    pub fn releases_key(self, transcript: Option<&Transcript>) -> bool {
        let is_silent = |transcript: &Transcript| transcript.status() == Status::Failed && transcript.pieces() == 0;
        self == Self::FailedUnannounced && transcript.is_none_or(is_silent)
    }

    /// The cause of the ending if the response has no readable log.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::SupervisorFailed | Self::FailedUnannounced => Verdict::Failed(Cause::InternalError),
            Self::NodeLost => Verdict::Failed(Cause::ServerInterrupted),
            Self::Cancelled => Verdict::Cancelled,
        }
    }
}
