//! The states of a run, each with what exists only in it.

use std::collections::{BTreeSet, VecDeque};

use super::{
    AttemptKind, UsageEstimates,
    bare_calls::BareCalls,
    replay::{ReplayFilter, ReplayFingerprint},
};
use crate::{Attempt, Attempts, CallIndex, Fact, Failure, ProviderEvent};

/// Where a run is.
#[derive(Debug)]
pub(super) enum RunState {
    /// Before [`RunEvent::Started`](super::RunEvent::Started): a new response.
    New,
    /// Before [`RunEvent::Started`](super::RunEvent::Started): a response of which an earlier process left the log.
    Resumed(Vec<ProviderEvent>),
    /// A background response waits until it may begin.
    Queued,
    /// The prompt of a turn is being built.
    BuildingPrompt(TurnState),
    /// The response waits for a slot at the provider.
    AwaitingSlot(AwaitingSlot),
    /// The circuit breaker is asked. A slot is held from here to the end of the attempt.
    AwaitingBreaker(AwaitingBreaker),
    /// The opening of an attempt becomes durable. The breaker's pass is held from here to the end of the attempt.
    Opening(Opening),
    /// The provider is working, and its events are read.
    Reading(Reading),
    /// The retry budget is asked.
    AwaitingRetry(AwaitingRetry),
    /// The pause before another attempt.
    Pausing(Pausing),
    /// This server runs the tools that a turn asked for.
    RunningTools(RunningTools),
    /// How the response ends is decided, and not durable yet.
    Settling(Settling),
    /// The ending is durable; clients may still read.
    Over,
    /// Nothing more happens.
    Closed,
}

impl RunState {
    /// Whether the ending is still open.
    pub(super) const fn is_undecided(&self) -> bool {
        match self {
            Self::New
            | Self::Resumed(_)
            | Self::Queued
            | Self::BuildingPrompt(_)
            | Self::AwaitingSlot(_)
            | Self::AwaitingBreaker(_)
            | Self::Opening(_)
            | Self::Reading(_)
            | Self::AwaitingRetry(_)
            | Self::Pausing(_)
            | Self::RunningTools(_) => true,
            Self::Settling(_) | Self::Over | Self::Closed => false,
        }
    }
}

/// One turn: one prompt, and the attempts until a provider answers it.
#[derive(Debug)]
pub(super) struct TurnState {
    /// Its number, from 1.
    pub(super) number: u16,
    /// The attempts of the turn.
    pub(super) attempts: Attempts,
    /// How many pieces of output there were before it.
    pub(super) pieces_before: usize,
}

/// A call of a provider that was made.
#[derive(Debug)]
pub(super) struct ProviderCallState {
    pub(super) attempt: Attempt,
    pub(super) origin: CallOrigin,
    /// The fingerprint of what was received of it, if it can be listened to again.
    pub(super) received: Option<ReplayFingerprint>,
    /// How often it was listened to again since anything new was received.
    pub(super) reattached: u32,
    /// How many facts there were when the provider's id of its call became one of them.
    pub(super) traceable_from: Option<u64>,
    /// The calls of tools that this server runs.
    pub(super) server_calls: Vec<CallIndex>,
}

/// Who made a call of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallOrigin {
    /// This run.
    Own,
    /// An earlier process. The call is only listened to: no provider is asked again.
    Recovered,
}

/// A call that lost its listener while its provider works on.
#[derive(Debug)]
pub(super) struct DetachedCall {
    pub(super) call: ProviderCallState,
    pub(super) provider_response_id: String,
}

/// A call whose provider is to stop, once it is certain that the response is this run's own.
#[derive(Debug)]
pub(super) struct UselessCall {
    pub(super) target: usize,
    pub(super) provider_response_id: String,
    /// How many facts must be durable for another owner to find it; none: it can't be found.
    pub(super) traceable_from: Option<u64>,
    /// How many facts must be durable before its provider is told.
    pub(super) barrier: u64,
}

#[derive(Debug)]
pub(super) struct AwaitingSlot {
    pub(super) turn: TurnState,
    pub(super) purpose: SlotPurpose,
}

/// What a slot is for.
#[derive(Debug)]
pub(super) enum SlotPurpose {
    /// An attempt.
    Open(AttemptKind),
    /// Listening to a call again.
    Reattach(DetachedCall),
}

#[derive(Debug)]
pub(super) struct AwaitingBreaker {
    pub(super) turn: TurnState,
    pub(super) kind: AttemptKind,
}

#[derive(Debug)]
pub(super) struct Opening {
    pub(super) turn: TurnState,
    pub(super) attempt: Attempt,
    /// How many facts must be durable before the provider is asked.
    pub(super) barrier: u64,
}

#[derive(Debug)]
pub(super) struct Reading {
    pub(super) turn: TurnState,
    pub(super) call: ProviderCallState,
    /// The filter that leaves out what was received before, while a call is replayed.
    pub(super) filter: Option<ReplayFilter>,
    pub(super) bare_calls: BareCalls,
}

#[derive(Debug)]
pub(super) struct AwaitingRetry {
    pub(super) turn: TurnState,
    pub(super) attempt: Attempt,
    pub(super) failure: Failure,
    pub(super) after: std::time::Duration,
}

impl AwaitingRetry {
    /// The fact that the attempt failed.
    pub(super) fn failed(&self) -> Fact {
        let (attempt, cause) = (self.attempt, self.failure.cause);
        match self.failure.rejection.clone() {
            Some(rejection) => Fact::RequestRejected { attempt, cause, rejection },
            None => Fact::ProviderFailed { attempt, cause },
        }
    }
}

#[derive(Debug)]
pub(super) struct Pausing {
    pub(super) turn: TurnState,
    pub(super) then: AfterPause,
}

/// What follows a pause.
#[derive(Debug)]
pub(super) enum AfterPause {
    /// The target is asked again.
    Retry,
    /// The call is listened to again.
    Reattach(DetachedCall),
}

#[derive(Debug)]
pub(super) struct RunningTools {
    /// The turn that called them.
    pub(super) turn: TurnState,
    pub(super) attempt: Attempt,
    /// Not begun.
    pub(super) waiting: VecDeque<CallIndex>,
    /// Begun, and to run once that is durable.
    pub(super) opening: Vec<OpeningTool>,
    pub(super) running: BTreeSet<CallIndex>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct OpeningTool {
    pub(super) call: CallIndex,
    /// How many facts must be durable before it runs.
    pub(super) barrier: u64,
}

/// How far an ending is.
#[derive(Debug)]
pub(super) enum Settling {
    /// The admission has to become durable first.
    AwaitingAdmission(Vec<Fact>),
    /// The usage is being estimated.
    Estimating(Vec<Fact>),
    /// The run waits to learn whether a client was told of a success.
    Withdrawing(UsageEstimates),
    /// The ending waits to become durable.
    Storing,
}
