//! What happened to a response, in order.

use serde::{Deserialize, Serialize};

use super::{CallIndex, Cause, ProviderEvent, ProviderRejection, Request, RunPolicy, Timestamp, json_text};
use antiphon_protocol::ResponseId;

/// Which call of a provider a fact belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The number of the turn, from 1. A turn begins with the prompt, or when tools have answered the one before.
    pub turn: u16,
    /// The number of the attempt within its turn, from 1.
    pub number: u16,
}

impl Attempt {
    /// The first attempt of the first turn.
    pub const FIRST: Self = Self { turn: 1, number: 1 };
}

/// A limit of this server that a response can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// The most bytes of output.
    OutputBytes,
    /// The most calls of tools that this server runs.
    ToolCalls,
    /// The most turns.
    Turns,
}

/// One thing that happened to a response: what its providers sent, and what this server did and decided.
///
/// The log of a response is a sequence of facts and nothing else; all that can be read of a response is a fold over
/// its log. Encoded with `postcard`: the order of variants and fields is part of the format, new variants go to the
/// end.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// The response was accepted. Always the first fact.
    Accepted {
        /// The response.
        id: ResponseId,
        /// The time.
        at: Timestamp,
        /// What was asked for.
        #[serde(with = "json_text")]
        request: Box<Request>,
    },
    /// The policy of the run was set. Follows the first fact; clients do not see it.
    RunPolicySet {
        /// The run policy.
        #[serde(with = "json_text")]
        run_policy: Box<RunPolicy>,
    },
    /// The deadline of the response was set. Precedes the first call of a provider.
    DeadlineSet {
        /// The deadline.
        at: Timestamp,
    },
    /// A provider is about to be called.
    AttemptOpening {
        /// The call.
        attempt: Attempt,
        /// The time.
        at: Timestamp,
        /// The provider's name in the configuration.
        provider: String,
        /// The model's name at the provider.
        model: String,
    },
    /// The provider sent an event.
    Provider {
        /// The call.
        attempt: Attempt,
        /// The event.
        event: ProviderEvent,
    },
    /// The call of the provider failed. Another attempt may follow.
    ProviderFailed {
        /// The call.
        attempt: Attempt,
        /// The cause.
        cause: Cause,
    },
    /// This server began to run a function call.
    ToolStarted {
        /// The call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
    },
    /// A tool that this server ran answered.
    ToolAnswered {
        /// The call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
        /// The answer.
        output: String,
    },
    /// A tool that this server ran failed; the model gets the error.
    ToolFailed {
        /// The call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
        /// The error text for the model.
        message: String,
    },
    /// A limit of this server was reached.
    LimitReached {
        /// The limit.
        limit: Limit,
    },
    /// A cancel was requested.
    CancelRequested {
        /// The time.
        at: Timestamp,
    },
    /// The last client left and did not come back.
    ClientLost {
        /// The time.
        at: Timestamp,
    },
    /// The process that ran the response is gone.
    NodeLost {
        /// The time.
        at: Timestamp,
    },
    /// The response reached its deadline.
    DeadlinePassed {
        /// The time.
        at: Timestamp,
    },
    /// A part of this server that the response needs failed for good.
    ServerFailed {
        /// The time.
        at: Timestamp,
        /// The cause.
        cause: Cause,
    },
    /// The log is complete: the fold decides the ending by the facts before this one. Always the last fact.
    Ended {
        /// The time.
        at: Timestamp,
    },
    /// A turn is about to finish with function calls that this server runs: it is not the last turn.
    ServerCallsRequired {
        /// The call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        calls: Vec<CallIndex>,
    },
    /// The call of the provider failed, since the request is at fault by the provider's own words. Another attempt may
    /// follow.
    RequestRejected {
        /// The call.
        attempt: Attempt,
        /// The cause.
        cause: Cause,
        /// The provider's words.
        #[serde(with = "json_text")]
        rejection: Box<ProviderRejection>,
    },
}

impl Fact {
    /// Which call of a provider the fact belongs to, if to one.
    #[must_use]
    pub fn attempt(&self) -> Option<Attempt> {
        match self {
            Self::AttemptOpening { attempt, .. }
            | Self::Provider { attempt, .. }
            | Self::ProviderFailed { attempt, .. }
            | Self::RequestRejected { attempt, .. }
            | Self::ServerCallsRequired { attempt, .. }
            | Self::ToolStarted { attempt, .. }
            | Self::ToolAnswered { attempt, .. }
            | Self::ToolFailed { attempt, .. } => Some(*attempt),
            Self::Accepted { .. }
            | Self::RunPolicySet { .. }
            | Self::DeadlineSet { .. }
            | Self::LimitReached { .. }
            | Self::CancelRequested { .. }
            | Self::ClientLost { .. }
            | Self::NodeLost { .. }
            | Self::DeadlinePassed { .. }
            | Self::ServerFailed { .. }
            | Self::Ended { .. } => None,
        }
    }

    /// The fact's name, for logs: facts carry content and have no other printable form. A fact that wraps a provider
    /// event has the name of the event.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::RunPolicySet { .. } => "run_policy_set",
            Self::DeadlineSet { .. } => "deadline_set",
            Self::AttemptOpening { .. } => "attempt_opening",
            Self::Provider { event, .. } => event.name(),
            Self::ProviderFailed { .. } => "provider_failed",
            Self::RequestRejected { .. } => "request_rejected",
            Self::ServerCallsRequired { .. } => "server_calls_required",
            Self::ToolStarted { .. } => "tool_started",
            Self::ToolAnswered { .. } => "tool_answered",
            Self::ToolFailed { .. } => "tool_failed",
            Self::LimitReached { .. } => "limit_reached",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::ClientLost { .. } => "client_lost",
            Self::NodeLost { .. } => "node_lost",
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::ServerFailed { .. } => "server_failed",
            Self::Ended { .. } => "ended",
        }
    }
}

impl std::fmt::Debug for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
