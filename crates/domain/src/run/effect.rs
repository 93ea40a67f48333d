//! The effects that a run asks for.

use std::time::Duration;

use super::UsageEstimates;
use crate::{Attempt, CallIndex, Cause, Fact, Next, UnreportedTurn};
use antiphon_protocol::ResponseEvent;

/// Something that a run asks its owner to do. Effects are performed in their order; those that are answered name the
/// event.
#[derive(Debug, Clone)]
pub enum RunEffect {
    /// These facts are to become durable. They are folded already.
    Record(Vec<RecordedFact>),
    /// What the facts below this number made visible may be shown.
    Publish {
        /// The number.
        facts: u64,
    },
    /// Clients may be told of a success from now on.
    PromiseSuccess,
    /// The caller is told that the response is accepted.
    AcceptAdmission,
    /// The caller is told that the response is refused.
    RefuseAdmission(AdmissionFailure),
    /// Builds the prompt of a turn. Answered by `PromptBuilt` or `PromptFailed`.
    BuildPrompt {
        /// The turn.
        turn: u16,
        /// Whether the model may still call tools of this server.
        tools: ToolOffer,
    },
    /// The prompt is not needed after all.
    StopBuildingPrompt,
    /// The prompt is not needed any more.
    DropPrompt,
    /// Asks for a slot at the target's provider. Answered by `SlotGranted`, `SlotRefused`, `SlotTimedOut` or
    /// `ProviderUnknown`.
    RequestSlot {
        /// Which target, from 0.
        target: usize,
        /// The queue to wait in.
        queue: SlotQueue,
        /// How long it waits at most; without one, for ever.
        patience: Option<Duration>,
    },
    /// Gives the slot at the provider back, or stops waiting for one.
    ReleaseSlot,
    /// Asks the target's circuit breaker. Answered by `AttemptAdmitted`, `AttemptRefused` or `ProviderUnknown`.
    AdmitAttempt {
        /// Which target, from 0.
        target: usize,
        /// Whether it was asked before.
        kind: AttemptKind,
    },
    /// Tells the circuit breaker of the admitted attempt.
    ReportAttempt(AttemptReport),
    /// Takes a retry out of the target's budget. Answered by `RetryAllowed` or `RetryDenied`.
    SpendRetry {
        /// Which target, from 0.
        target: usize,
    },
    /// Asks the provider, whose answers are `ProviderSaid` and `ProviderEnded`.
    OpenAttempt {
        /// The attempt.
        attempt: Attempt,
        /// Which target, from 0.
        target: usize,
    },
    /// Listens again to a call that a provider works on, from its beginning.
    Reattach {
        /// The attempt.
        attempt: Attempt,
        /// Which target, from 0.
        target: usize,
        /// The provider's own id of its response.
        provider_response_id: String,
    },
    /// Closes the connection to the provider. One that works on without a listener is not told to stop.
    StopReading,
    /// Has a provider stop that works on without a listener. What makes its work useless is durable by then, under this
    /// owner: no other one can be listening to the call.
    CancelAtProvider {
        /// Which target, from 0.
        target: usize,
        /// The provider's own id of its response.
        provider_response_id: String,
    },
    /// Runs a tool. Answered by `ToolEnded`.
    RunTool(ToolCallRequest),
    /// Stops all tools that run.
    StopTools,
    /// Starts a timer, or starts it anew.
    StartTimer {
        /// Which.
        timer: Timer,
        /// How long it runs.
        after: Duration,
    },
    /// Stops a timer that runs.
    StopTimer(Timer),
    /// Every client is told that a provider has answered.
    AnnounceOpened,
    /// Every client is told that the database is away, and gets nothing more before it is back.
    AnnounceUnavailable,
    /// The queue of background responses may let the next one begin.
    ReleaseBackgroundSlot,
    /// Estimates the tokens of these turns. Answered by `UsageEstimated`.
    EstimateUsage(Vec<UnreportedTurn>),
    /// Withdraws the success, unless a client was told of it already. Answered by `SuccessWithdrawn`.
    WithdrawSuccess,
    /// The ending, which is folded already, is to become durable with all facts before it.
    StoreEnding {
        /// The tokens of turns whose provider reported none.
        estimates: UsageEstimates,
        /// Whether the response gives its idempotency key back.
        releases_key: bool,
    },
    /// The entries that the database refused are submitted again.
    RetryStore,
    /// The ending is durable: every client may be told.
    Conclude,
    /// The callers that asked to cancel are told how the response ended.
    AnswerCancels,
    /// The callers that asked to cancel are told that the database can't confirm it.
    RefuseCancels,
    /// Hands the response over to its next owner. The last effect.
    HandOver,
    /// All is done. The last effect.
    Leave,
    /// The run can't go on here: the response is to be recovered. The last effect.
    Abandon,
    /// Something that is written to the server's log.
    Note(RunNote),
}

/// A fact, and what it made visible.
#[derive(Debug, Clone)]
pub struct RecordedFact {
    /// How many facts there are with this one.
    pub facts: u64,
    /// The fact.
    pub fact: Fact,
    /// The events that it made.
    pub events: Vec<ResponseEvent>,
}

/// Why a response is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdmissionFailure {
    /// The database is away.
    DatabaseAway,
    /// Another response has the idempotency key.
    KeyTaken,
    /// The response that it continues was deleted in the meantime.
    PreviousMissing,
    /// Its user was deleted in the meantime, or is being deleted.
    UserDeleted,
    /// This server failed.
    Failed,
}

/// Where a response waits for a slot at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotQueue {
    /// In the bounded queue: the response is refused when that is full.
    Bounded,
    /// In the same queue however long it is: the number of those that wait so is bounded elsewhere.
    Unbounded,
}

/// Whether a turn asked the target before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptKind {
    /// It did not.
    First,
    /// It did, and the retry budget was asked.
    Retry,
}

/// The outcome of an attempt, for the circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptReport {
    /// The provider answered with a success and will stream.
    Answered,
    /// It went well to its end.
    Succeeded,
    /// It failed.
    Failed(Cause),
    /// It was given up, which says nothing about the provider.
    GivenUp,
}

/// A timer of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The pause before another attempt.
    Pause,
    /// The time that the response may take.
    Deadline,
    /// How long a response waits for a client to come back.
    Grace,
    /// The pause before the database is asked again.
    StoreRetry,
}

/// Whether the model may call tools of this server in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolOffer {
    /// It may.
    Offered,
    /// A limit is reached, and the model is told so.
    Exhausted,
}

/// A call of a tool that this server is to run.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolCallRequest {
    /// The attempt that called it.
    pub attempt: Attempt,
    /// Which of its function calls.
    pub call: CallIndex,
    /// The tool.
    pub name: String,
    /// The arguments, as the model wrote them.
    pub arguments: String,
}

// Arguments are content, and content is in no log.
impl std::fmt::Debug for ToolCallRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolCallRequest")
            .field("attempt", &self.attempt)
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

/// Something that is written to the server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunNote {
    /// The ending is decided, and not stored yet.
    EndingDecided,
    /// An event of a replayed call was received before.
    EventReplayed,
    /// A replayed call differs from the first time.
    ReplayDiverged,
    /// The provider sent JSON that is nested too deeply.
    JsonTooDeep,
    /// The provider called a function that it may not call.
    FunctionForbidden,
    /// The provider counted more tokens than a call can have.
    UsageNotBelieved,
    /// The provider cut its output into too many pieces.
    TooManyPieces,
    /// Another attempt follows one that failed.
    AttemptFollows(Next),
    /// A call that lost its listener is listened to again.
    CallRecovered,
    /// The database is away for longer than the response waits.
    DatabaseAway,
    /// The response is handed over to another process.
    HandedOver,
}
