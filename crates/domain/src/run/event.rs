//! What can happen to a run.

use std::{collections::BTreeMap, time::Duration};

use super::{AdmissionFailure, ClientId, RunTarget, Timer};
use crate::{Attempt, CallIndex, Cause, Failure, Jitter, ProviderEvent};

/// Something that happened to a run. An event that does not fit the run's state, a late answer for example, changes
/// nothing.
#[derive(Debug, Clone)]
pub enum RunEvent {
    /// The run can begin. Comes once, and only events about clients may precede it.
    Started,
    /// The queue of background responses lets the response begin.
    BackgroundSlotGranted,
    /// The prompt is built.
    PromptBuilt {
        /// The targets from now on, if they were determined with the prompt.
        targets: Option<Vec<RunTarget>>,
    },
    /// The prompt can't be built.
    PromptFailed {
        /// Why.
        cause: Cause,
    },
    /// The response has a slot at the provider.
    SlotGranted,
    /// The queue for slots is full.
    SlotRefused,
    /// No slot became free in time.
    SlotTimedOut,
    /// This node has no provider of the target's name.
    ProviderUnknown,
    /// The circuit breaker lets the attempt through.
    AttemptAdmitted,
    /// The circuit breaker is open.
    AttemptRefused {
        /// When it is worth coming back.
        retry_after: Duration,
    },
    /// The retry budget allows the retry, and has counted it.
    RetryAllowed,
    /// The retry budget is used up.
    RetryDenied,
    /// The provider sent events.
    ProviderSaid {
        /// In which attempt.
        attempt: Attempt,
        /// The events of one read.
        events: Vec<ProviderEvent>,
    },
    /// An attempt has ended.
    ProviderEnded {
        /// Which attempt.
        attempt: Attempt,
        /// Why it failed; none if the provider had finished.
        failure: Failure,
        /// The random part of the wait before another attempt.
        jitter: Jitter,
    },
    /// A tool that this server ran is done.
    ToolEnded {
        /// The attempt that called it.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
        /// The result.
        result: ToolResult,
    },
    /// A timer has run out.
    TimerFired(Timer),
    /// The tokens that no provider reported are estimated.
    UsageEstimated(UsageEstimates),
    /// Answers `WithdrawSuccess`.
    SuccessWithdrawn {
        /// Whether no client had been told of a success.
        in_time: bool,
    },
    /// The store answered, or failed to answer in time.
    Store(StoreEvent),
    /// A client came or went.
    Client {
        /// Which client.
        client: ClientId,
        /// What it did.
        event: ClientEvent,
    },
    /// A command to the run.
    Command(RunCommand),
}

/// The answer of the store about a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreEvent {
    /// The response is accepted, and all facts below this number are durable.
    Admitted {
        /// The number.
        facts: u64,
    },
    /// All facts below this number are durable.
    Stored {
        /// The number.
        facts: u64,
    },
    /// The ending is durable.
    EndingStored,
    /// The database refused what it was given with an error.
    Refused,
    /// The response is not this run's own.
    OwnershipLost(Disowned),
    /// Nothing has become durable for a while, although facts wait for it.
    Silent {
        /// How long that has lasted.
        waited: Duration,
    },
}

/// Why a response is not a run's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disowned {
    /// The store did not take it; nothing of it is stored.
    NotAdmitted(AdmissionFailure),
    /// Somebody else owns the response, or has ended it.
    OtherOwner,
    /// The response was deleted: nobody owns it any more.
    Deleted,
}

/// What a client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEvent {
    /// It came.
    Joined(ClientNeed),
    /// It has received all that it asked for.
    Served,
    /// What emits events to it has ended.
    EmitterEnded,
    /// It is gone, or its connection was closed.
    Left,
}

/// The part of a run that a client needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientNeed {
    /// The events.
    Events,
    /// Only how the response ends.
    Ending,
}

/// A command to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunCommand {
    /// The response is to be cancelled.
    Cancel,
    /// The node stops: the response is left to another process, or ends.
    Stop,
    /// The node will stop: a response that has not begun is left to another process.
    LeaveQueue,
}

/// The result of a tool.
#[derive(Clone, PartialEq, Eq)]
pub enum ToolResult {
    /// Its output.
    Answered(String),
    /// It failed with this error text for the model.
    Failed(String),
}

// Outputs of tools are content, and content is in no log.
impl std::fmt::Debug for ToolResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Answered(_) => "answered",
            Self::Failed(_) => "failed",
        })
    }
}

/// The output tokens of turns whose provider reported none, as an estimate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageEstimates {
    /// By the turn's number.
    pub output_tokens: BTreeMap<u16, u64>,
}
