//! The function calls of a turn that this server runs itself.

use std::collections::BTreeMap;

use super::Transcript;
use crate::{Attempt, CallIndex, RunProgress};
use antiphon_protocol::FunctionCall;

/// The function calls of a turn that this server runs itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCalls {
    /// The provider's call that made them.
    pub attempt: Attempt,
    calls: BTreeMap<CallIndex, ServerCallState>,
}

/// The progress of such a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerCallState {
    /// The call has not begun.
    Required,
    /// The call runs, or may have run.
    Started,
    /// The call has its output.
    Ended,
}

impl ServerCalls {
    /// Makes the state of calls of which none has begun.
    #[must_use]
    pub fn required(attempt: Attempt, calls: impl IntoIterator<Item = CallIndex>) -> Self {
        let calls = calls.into_iter().map(|call| (call, ServerCallState::Required)).collect();
        Self { attempt, calls }
    }

    /// The calls with that progress, in the order in which the model made them.
    pub fn in_state(&self, state: ServerCallState) -> impl Iterator<Item = CallIndex> {
        self.calls.iter().filter(move |(_, is)| **is == state).map(|(call, _)| *call)
    }

    /// Whether no call has begun.
    #[must_use]
    pub fn none_begun(&self) -> bool {
        self.calls.values().all(|state| *state == ServerCallState::Required)
    }

    /// Whether each call has its output.
    #[must_use]
    pub fn all_ended(&self) -> bool {
        self.calls.values().all(|state| *state == ServerCallState::Ended)
    }

    fn contains(&self, call: CallIndex) -> bool {
        self.calls.contains_key(&call)
    }

    /// Records the progress of a call. Returns false if that changes nothing, or the call is none of these.
    fn advance(&mut self, call: CallIndex, state: ServerCallState) -> bool {
        let before = self.calls.get_mut(&call).filter(|before| **before != ServerCallState::Ended);
        before.is_some_and(|before| std::mem::replace(before, state) != state)
    }
}

impl Transcript {
    pub(super) fn require_calls(&mut self, attempt: Attempt, calls: Vec<CallIndex>) {
        if self.is_running(attempt) {
            self.server_calls = Some(ServerCalls::required(attempt, calls));
        }
    }

    /// Records that a tool began to run. In logs that do not list the calls of this server, only this shows that the
    /// turn is not the last one.
    pub(super) fn tool_started(&mut self, attempt: Attempt, call: CallIndex) {
        match self.server_calls.as_mut().filter(|calls| calls.attempt == attempt) {
            Some(calls) => self.tools_started += u32::from(calls.advance(call, ServerCallState::Started)),
            None => self.go_on_after(attempt),
        }
    }

    /// Records that a tool has its output. Once all have theirs, the turn is the last one if the client has calls to
    /// answer too.
    pub(super) fn tool_ended(&mut self, attempt: Attempt, call: CallIndex) {
        let Some(calls) = self.server_calls.as_mut().filter(|calls| calls.attempt == attempt) else { return };
        calls.advance(call, ServerCallState::Ended);
        let is_last = calls.all_ended() && self.output.has_other_calls(attempt, |call| calls.contains(call));
        if let Some(reason) = self.finish_reason(attempt).cloned().filter(|_| is_last) {
            self.decide(super::Verdict::Finished(reason));
        }
    }

    /// The function calls that this server runs of the latest turn that had any.
    #[must_use]
    pub fn server_calls(&self) -> Option<&ServerCalls> {
        self.server_calls.as_ref()
    }

    /// How many tools this server has begun to run.
    #[must_use]
    pub fn tools_started(&self) -> u32 {
        self.tools_started
    }

    /// A function call of a provider.
    #[must_use]
    pub fn function_call(&self, attempt: Attempt, call: CallIndex) -> Option<&FunctionCall> {
        self.output.function_call((attempt, call))
    }

    /// How far the response is.
    #[must_use]
    pub fn progress(&self) -> RunProgress {
        if self.ended.is_some() || self.verdict.is_some() {
            return RunProgress::Decided;
        }
        let Some(attempt) = self.attempt.as_ref().map(|state| state.attempt) else {
            return RunProgress::NothingOpened;
        };
        match self.server_calls.as_ref().filter(|calls| calls.attempt == attempt && self.has_finished(attempt)) {
            Some(calls) if calls.all_ended() => RunProgress::BetweenTurns(attempt),
            Some(calls) => RunProgress::ToolsRunning(calls.clone()),
            None => self.lost_call().map_or(RunProgress::CallLost, RunProgress::CallTraceable),
        }
    }
}
