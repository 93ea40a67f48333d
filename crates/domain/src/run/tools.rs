//! The tools that this server runs between two turns.

use std::collections::BTreeSet;

use super::{
    AttemptReport, Run, RunEffect, ToolCallRequest, ToolResult,
    machine::take_state,
    state::{OpeningTool, Reading, RunState, RunningTools, TurnState},
};
use crate::{Attempt, Attempts, CallIndex, Fact, Limit, ServerCallState, ServerCalls, ToolAccess};

/// The output of a call that is not run because the limit of calls is reached.
const NO_MORE_TOOLS: &str = "No more tools can be called for this response.";

/// The output of a call that is not in the log.
const MISSING_CALL: &str = "The server could not find the call.";

/// The output of a tool that was running when its process ended, and may not be run again.
const TOOL_INTERRUPTED: &str = "The server stopped while the tool was running. Whether it had an effect is not known.";

/// The notice after a tool's output that was cut.
const CUT_NOTICE: &str = "\n[The rest of the output was cut.]";

impl Run {
    /// The limit that the prompt of that turn told the model of, if one was reached.
    pub(super) fn tools_exhausted(&self, turn: u16) -> Option<Limit> {
        if turn >= self.setup.policy.tools.max_turns {
            return Some(Limit::Turns);
        }
        (self.tool_calls_left() == 0).then_some(Limit::ToolCalls)
    }

    fn tool_calls_left(&self) -> usize {
        let most = self.setup.request.max_tool_calls.unwrap_or(u32::MAX);
        usize::try_from(most.saturating_sub(self.transcript.tools_started())).unwrap_or(usize::MAX)
    }

    /// Ends a turn whose provider is finished. It was the last one, unless it called tools of this server.
    pub(super) fn turn_finished(&mut self, reading: Reading) {
        let calls = self.transcript.server_calls().cloned();
        let attempt = reading.call.attempt;
        let Some(calls) = calls.filter(|calls| calls.attempt == attempt && !self.transcript.is_finished()) else {
            self.state = RunState::Reading(reading);
            return self.finish(Vec::new());
        };
        self.effects.extend([
            RunEffect::StopReading,
            RunEffect::ReportAttempt(AttemptReport::Succeeded),
            RunEffect::ReleaseSlot,
        ]);
        self.begin_tools(reading.turn, &calls);
    }

    /// Begins the tools of a turn. The model is told once that it can call no more of them; if it does all the same,
    /// the response ends.
    fn begin_tools(&mut self, turn: TurnState, calls: &ServerCalls) {
        let exhausted = self.tools_exhausted(turn.number);
        self.schedule_tools(turn, calls);
        if let Some(limit) = exhausted {
            self.finish(vec![Fact::LimitReached { limit }]);
        } else {
            self.continue_tools();
        }
    }

    fn schedule_tools(&mut self, turn: TurnState, calls: &ServerCalls) {
        let waiting = calls.in_state(ServerCallState::Required).collect();
        let (opening, running, attempt) = (Vec::new(), BTreeSet::new(), calls.attempt);
        self.state = RunState::RunningTools(RunningTools { turn, attempt, waiting, opening, running });
    }

    /// Begins as many tools as may run at once, and the next turn once all are done.
    fn continue_tools(&mut self) {
        let Some(mut tools) = take_state!(self, RunningTools) else { return };
        let (attempt, at_once) = (tools.attempt, usize::from(self.setup.policy.tools.max_concurrent.max(1)));
        while tools.opening.len() + tools.running.len() < at_once
            && let Some(call) = tools.waiting.pop_front()
        {
            if self.tool_calls_left() == 0 {
                self.record(vec![Fact::ToolFailed { attempt, call, message: NO_MORE_TOOLS.to_owned() }]);
                continue;
            }
            // A tool may have effects as soon as it runs, so its start must be in the log before.
            self.record(vec![Fact::ToolStarted { attempt, call }]);
            tools.opening.push(OpeningTool { call, barrier: self.transcript.facts() });
        }
        let done = tools.opening.is_empty() && tools.running.is_empty();
        let turn = (tools.turn.number, tools.turn.attempts.target());
        self.state = RunState::RunningTools(tools);
        if !done {
            self.proceed_when_durable();
        } else if self.transcript.is_finished() {
            // The client has calls of the same turn to answer, so the response ends here.
            self.finish(Vec::new());
        } else {
            self.next_turn(turn.0, turn.1);
        }
    }

    pub(super) fn run_tools_when_durable(&mut self) {
        let Some(mut tools) = take_state!(self, RunningTools) else { return };
        let durable = self.durable;
        let (ready, opening) = tools.opening.into_iter().partition(|tool| tool.barrier <= durable);
        tools.opening = opening;
        let (attempt, mut missing) = (tools.attempt, Vec::new());
        for OpeningTool { call, .. } in Vec::from_iter::<Vec<OpeningTool>>(ready) {
            tools.running.insert(call);
            match self.transcript.function_call(attempt, call) {
                Some(function) => {
                    let (name, arguments) = (function.name.clone(), function.arguments.clone());
                    self.effects.push(RunEffect::RunTool(ToolCallRequest { attempt, call, name, arguments }));
                }
                None => missing.push(call),
            }
        }
        self.state = RunState::RunningTools(tools);
        for call in missing {
            self.tool_ended(attempt, call, ToolResult::Failed(MISSING_CALL.to_owned()));
        }
    }

    pub(super) fn tool_ended(&mut self, attempt: Attempt, call: CallIndex, result: ToolResult) {
        let Some(mut tools) = take_state!(self, RunningTools) else { return };
        let expected = tools.attempt == attempt && tools.running.remove(&call);
        self.state = RunState::RunningTools(tools);
        if !expected {
            return;
        }
        let most = self.setup.policy.tools.max_output_bytes;
        self.record(vec![match result {
            ToolResult::Answered(output) => Fact::ToolAnswered { attempt, call, output: cut(output, most) },
            ToolResult::Failed(message) => Fact::ToolFailed { attempt, call, message: cut(message, most) },
        }]);
        self.continue_tools();
    }

    /// Begins the next turn, from all output so far and at the target that answered last.
    pub(super) fn next_turn(&mut self, number: u16, target: usize) {
        let attempts = Attempts::at(self.setup.targets.len()).from_target(target);
        let pieces_before = self.transcript.pieces();
        self.build_prompt(TurnState { number: number.saturating_add(1), attempts, pieces_before });
    }

    /// Resumes the tools of an earlier process. One that was running runs again only if it is read-only.
    pub(super) fn recover_tools(&mut self, calls: &ServerCalls) {
        self.watch_deadline();
        let attempt = calls.attempt;
        let attempts = Attempts::resumed(self.setup.targets.len(), attempt.number);
        let pieces_before = self.transcript.pieces_before(attempt.turn);
        let turn = TurnState { number: attempt.turn, attempts, pieces_before };
        if calls.none_begun() {
            return self.begin_tools(turn, calls);
        }
        let (repeatable, lost): (Vec<_>, Vec<_>) =
            calls.in_state(ServerCallState::Started).partition(|call| self.may_repeat(attempt, *call));
        let message = || TOOL_INTERRUPTED.to_owned();
        self.record(lost.into_iter().map(|call| Fact::ToolFailed { attempt, call, message: message() }).collect());
        self.schedule_tools(turn, calls);
        let Some(mut tools) = take_state!(self, RunningTools) else { return };
        tools.opening = repeatable.into_iter().map(|call| OpeningTool { call, barrier: 0 }).collect();
        self.state = RunState::RunningTools(tools);
        self.continue_tools();
    }

    fn may_repeat(&self, attempt: Attempt, call: CallIndex) -> bool {
        let function = self.transcript.function_call(attempt, call);
        let access = function.and_then(|function| self.setup.policy.tools.access(&function.name));
        access == Some(ToolAccess::ReadOnly)
    }
}

/// Cuts a tool's output to that many bytes, with a notice if any are missing.
fn cut(mut output: String, most: usize) -> String {
    if output.len() > most {
        output.truncate(output.floor_char_boundary(most.saturating_sub(CUT_NOTICE.len())));
        output.push_str(CUT_NOTICE);
    }
    output
}
