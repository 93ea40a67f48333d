//! What can happen to a run.

use std::{collections::BTreeMap, time::Duration};

use super::{ClientId, RunTarget, Timer};
use crate::{Attempt, CallIndex, Cause, Failure, Jitter, ProviderEvent};

/// Something that happened to a run. One that makes no sense in the run's state, a late answer for example, changes
/// nothing.
#[derive(Debug, Clone)]
pub enum RunEvent {
    /// Everything is in place to begin. Comes once, and first but for clients.
    Started,
    /// The queue of background responses lets the response begin.
    BackgroundSlotGranted,
    /// The prompt is built.
    PromptBuilt {
        /// Where providers are asked from now on, if that was found out with it.
        targets: Option<Vec<RunTarget>>,
    },
    /// The prompt can't be built.
    PromptFailed {
        /// Why.
        cause: Cause,
    },
    /// The response has a slot at the provider.
    SlotGranted,
    /// The line for slots is full.
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
    /// The provider said something.
    ProviderSaid {
        /// In which attempt.
        attempt: Attempt,
        /// What it said in one read.
        events: Vec<ProviderEvent>,
    },
    /// Nothing more comes of an attempt.
    ProviderEnded {
        /// Which attempt.
        attempt: Attempt,
        /// What it failed of, unless the provider had finished before.
        failure: Failure,
        /// For the wait before another attempt.
        jitter: Jitter,
    },
    /// A tool that this server ran is done.
    ToolEnded {
        /// The attempt that called it.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
        /// What it gave.
        result: ToolResult,
    },
    /// A timer has run out.
    TimerFired(Timer),
    /// The tokens that no provider reported are estimated.
    UsageEstimated(UsageEstimates),
    /// Whether it could be kept from every client that the response is a success.
    SuccessWithdrawn {
        /// No client was told before.
        in_time: bool,
    },
    /// The store answered, or did not.
    Store(StoreEvent),
    /// A client came or went.
    Client {
        /// Which client.
        client: ClientId,
        /// What it did.
        event: ClientEvent,
    },
    /// Somebody wants something of the run.
    Command(RunCommand),
}

/// What the store said of a response.
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
    /// Nothing became durable for so long though something should have.
    Silent {
        /// How long.
        waited: Duration,
    },
}

/// Why a response is not a run's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disowned {
    /// Another response has the idempotency key; nothing of this one is stored.
    KeyTaken,
    /// Somebody else owns the response, has ended it or deleted it.
    OtherOwner,
}

/// What a client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEvent {
    /// It came.
    Joined(ClientNeed),
    /// It has all that it wanted.
    Served,
    /// What emits events to it has ended.
    EmitterEnded,
    /// It is gone, or was cut.
    Left,
}

/// What a client needs of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientNeed {
    /// The events.
    Events,
    /// Only how the response ends.
    Ending,
}

/// What somebody wants of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunCommand {
    /// The response is to be cancelled.
    Cancel,
    /// The node stops: the response is left to another process, or ends.
    Stop,
    /// The node will stop: a response that has not begun is left to another process.
    LeaveQueue,
}

/// What a tool gave.
#[derive(Clone, PartialEq, Eq)]
pub enum ToolResult {
    /// Its output.
    Answered(String),
    /// It failed; this is what the model is told.
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

/// The output tokens of turns whose provider reported none, as near as can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageEstimates {
    /// By the turn's number.
    pub output_tokens: BTreeMap<u16, u64>,
}
