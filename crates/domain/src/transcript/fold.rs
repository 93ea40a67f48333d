//! The fold itself: which fact does what.

use std::collections::BTreeMap;

use super::{
    Ending, RecordedEnding, ServerCalls, Verdict,
    output::{Cut, OutputBuilder, PartKind},
};
use crate::{
    Attempt, Cause, Fact, FinishReason, InputUsage, LostCall, ProviderEvent, ProviderRejection, Request, RunPolicy,
    Timestamp,
};
use antiphon_protocol::{ItemStatus, ResponseEvent, ResponseId, Status, Usage};

/// The state of a response, folded from its facts.
///
/// Deterministic and synchronous; applying a fact costs as much as the fact is long. However the facts are
/// cut into batches, what comes out is the same. Facts that make no sense where they stand (late ones of an
/// attempt that was given up, any after the end) change nothing.
#[derive(Debug, Clone)]
pub struct Transcript {
    pub(super) facts: u64,
    pub(super) created: Option<Created>,
    pub(super) run_policy: Option<Box<RunPolicy>>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) output: OutputBuilder,
    pub(super) attempt: Option<AttemptState>,
    pub(super) calls: BTreeMap<Attempt, ProviderCall>,
    pub(super) server_calls: Option<ServerCalls>,
    pub(super) tools_started: u32,
    pub(super) verdict: Option<Verdict>,
    pub(super) ended: Option<(Ending, Timestamp)>,
}

#[derive(Debug, Clone)]
pub(super) struct Created {
    pub(super) at: Timestamp,
    pub(super) request: Box<Request>,
}

#[derive(Debug, Clone)]
pub(super) struct AttemptState {
    pub(super) attempt: Attempt,
    finished: Option<FinishReason>,
    failed: Option<AttemptFailure>,
}

/// How an attempt failed.
#[derive(Debug, Clone)]
struct AttemptFailure {
    cause: Cause,
    rejection: Option<Box<ProviderRejection>>,
}

/// What is known of one call of a provider.
#[derive(Debug, Clone)]
pub(super) struct ProviderCall {
    pub(super) provider: String,
    model: String,
    pub(super) opened: bool,
    /// The provider's own id of its response.
    id: Option<String>,
    pub(super) usage: Option<Usage>,
    /// What the provider reported of its prompt alone.
    pub(super) input_usage: Option<InputUsage>,
    /// The tier in which the provider served it, if it said so.
    pub(super) service_tier: Option<String>,
    /// How many items of output there were before it.
    pub(super) first_item: usize,
    /// How many pieces of output there were before it.
    pieces_before: usize,
}

impl Transcript {
    /// Makes the state of a response before its first fact.
    #[must_use]
    pub fn new(id: ResponseId) -> Self {
        Self {
            facts: 0,
            created: None,
            run_policy: None,
            deadline: None,
            output: OutputBuilder::new(id),
            attempt: None,
            calls: BTreeMap::new(),
            server_calls: None,
            tools_started: 0,
            verdict: None,
            ended: None,
        }
    }

    /// Applies the next fact of the log; what it makes visible is appended to `events`.
    pub fn apply(&mut self, fact: Fact, events: &mut Vec<ResponseEvent>) {
        self.facts += 1;
        if self.ended.is_some() {
            return;
        }
        if let Fact::Accepted { id: _, at, request } = fact {
            self.create(at, request, events);
        } else if self.created.is_some() {
            self.apply_to_created(fact, events);
        }
    }

    fn apply_to_created(&mut self, fact: Fact, events: &mut Vec<ResponseEvent>) {
        match fact {
            Fact::Accepted { .. } => {}
            Fact::RunPolicySet { run_policy } => {
                self.run_policy.get_or_insert(run_policy);
            }
            Fact::DeadlineSet { at } => {
                self.deadline.get_or_insert(at);
            }
            Fact::AttemptOpening { attempt, at: _, provider, model } => {
                let call = ProviderCall {
                    provider,
                    model,
                    opened: false,
                    id: None,
                    usage: None,
                    input_usage: None,
                    service_tier: None,
                    first_item: self.output.items.len(),
                    pieces_before: self.output.pieces,
                };
                self.open(attempt, call, events);
            }
            Fact::Provider { attempt, event } => self.apply_provider_event(attempt, event, events),
            Fact::ProviderFailed { attempt, cause } => self.fail(attempt, AttemptFailure { cause, rejection: None }),
            Fact::RequestRejected { attempt, cause, rejection } => {
                self.fail(attempt, AttemptFailure { cause, rejection: Some(rejection) });
            }
            Fact::ServerCallsRequired { attempt, calls } => self.require_calls(attempt, calls),
            Fact::ToolStarted { attempt, call } => self.tool_started(attempt, call),
            Fact::ToolAnswered { attempt, call, output } => {
                self.output.answer((attempt, call), output, ItemStatus::Completed, events);
                self.tool_ended(attempt, call);
            }
            Fact::ToolFailed { attempt, call, message } => {
                self.output.answer((attempt, call), message, ItemStatus::Incomplete, events);
                self.tool_ended(attempt, call);
            }
            Fact::LimitReached { limit } => self.decide(Verdict::of_limit(limit)),
            Fact::CancelRequested { at: _ } => self.decide(Verdict::Cancelled),
            Fact::ClientLost { at: _ } => self.decide(Verdict::ClientLost),
            Fact::NodeLost { at: _ } => self.decide(Verdict::Failed(Cause::ServerInterrupted)),
            Fact::DeadlinePassed { at: _ } => self.decide(Verdict::Failed(Cause::DeadlineExceeded)),
            Fact::ServerFailed { at: _, cause } => self.decide(Verdict::Failed(cause)),
            Fact::Ended { at } => self.end(at, events),
        }
    }

    /// Applies an event of a provider. Usage counts whenever it is reported; output counts only while its attempt
    /// runs.
    fn apply_provider_event(&mut self, attempt: Attempt, event: ProviderEvent, events: &mut Vec<ResponseEvent>) {
        let is_running = self.is_running(attempt);
        let (output, unscored) = (&mut self.output, Vec::new());
        match event {
            ProviderEvent::Opened { provider_response_id } => self.answered(attempt, provider_response_id),
            ProviderEvent::Usage(usage) => self.use_up(attempt, usage),
            ProviderEvent::InputUsage(usage) => self.use_up_input(attempt, usage),
            ProviderEvent::ServiceTier { tier } => self.served_in(attempt, tier),
            _ if !is_running => {}
            ProviderEvent::Text { text, logprobs } => output.append_text(PartKind::Text, text, logprobs, events),
            ProviderEvent::Refusal { text } => output.append_text(PartKind::Refusal, text, unscored, events),
            ProviderEvent::Reasoning { text } => output.append_text(PartKind::Reasoning, text, unscored, events),
            ProviderEvent::ReasoningSummary { part, text } => {
                output.append_text(PartKind::Summary(part), text, unscored, events);
            }
            ProviderEvent::Annotation { annotation } => output.annotate(annotation, events),
            ProviderEvent::EncryptedReasoning { encrypted_content } => {
                output.set_encrypted_content(encrypted_content, events);
            }
            ProviderEvent::ContentPartFinished => output.finish_part(events),
            ProviderEvent::ItemFinished { extra } => output.finish_item(extra, events),
            ProviderEvent::FunctionCallStarted { call, call_id, name } => {
                output.start_call((attempt, call), call_id, name, events);
            }
            ProviderEvent::FunctionCallArguments { call, text } => {
                output.append_arguments((attempt, call), text, events);
            }
            ProviderEvent::FunctionCallFinished { call, extra } => output.finish_call((attempt, call), extra, events),
            ProviderEvent::OtherItemStarted { item, fields } => output.start_other((attempt, item), fields, events),
            ProviderEvent::OtherItemEvent { item, event, fields } => {
                output.report_other((attempt, item), event, fields, events);
            }
            ProviderEvent::OtherItemFinished { item, fields } => output.finish_other((attempt, item), fields, events),
            ProviderEvent::Finished(reason) => self.finish(reason, events),
        }
    }

    fn answered(&mut self, attempt: Attempt, provider_response_id: Option<String>) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            (call.opened, call.id) = (true, provider_response_id);
        }
    }

    fn use_up(&mut self, attempt: Attempt, usage: Usage) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.usage = Some(usage);
        }
    }

    fn use_up_input(&mut self, attempt: Attempt, usage: InputUsage) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.input_usage = Some(usage);
        }
    }

    fn served_in(&mut self, attempt: Attempt, tier: String) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.service_tier = Some(tier);
        }
    }

    fn create(&mut self, at: Timestamp, request: Box<Request>, events: &mut Vec<ResponseEvent>) {
        if self.created.is_some() {
            return;
        }
        self.created = Some(Created { at, request });
        let sequence_number = self.output.number();
        events.extend(self.response().map(|response| ResponseEvent::Created { sequence_number, response }));
        if self.status() == Status::Queued {
            let sequence_number = self.output.number();
            events.extend(self.response().map(|response| ResponseEvent::Queued { sequence_number, response }));
        }
    }

    fn open(&mut self, attempt: Attempt, call: ProviderCall, events: &mut Vec<ResponseEvent>) {
        if self.calls.contains_key(&attempt) {
            return;
        }
        let first = self.attempt.is_none();
        self.output.close(Cut::Everything, events);
        self.attempt = Some(AttemptState { attempt, finished: None, failed: None });
        self.calls.insert(attempt, call);
        if first {
            let sequence_number = self.output.number();
            events.extend(self.response().map(|response| ResponseEvent::InProgress { sequence_number, response }));
        }
    }

    /// The provider's call that was running when the log ended, if the provider sent its id.
    #[must_use]
    pub fn lost_call(&self) -> Option<LostCall> {
        let attempt = self.attempt.as_ref().map(|state| state.attempt).filter(|attempt| self.is_running(*attempt))?;
        let ProviderCall { provider, model, id, .. } = self.calls.get(&attempt)?;
        let provider_response_id = id.clone()?;
        Some(LostCall { attempt, provider: provider.clone(), model: model.clone(), provider_response_id })
    }

    pub(super) fn is_running(&self, attempt: Attempt) -> bool {
        self.verdict.is_none()
            && self
                .attempt
                .as_ref()
                .is_some_and(|state| state.attempt == attempt && state.finished.is_none() && state.failed.is_none())
    }

    fn finish(&mut self, reason: FinishReason, events: &mut Vec<ResponseEvent>) {
        let cut = if reason.is_cut() { Cut::Last } else { Cut::Nothing };
        self.output.close(cut, events);
        let Some(state) = &mut self.attempt else { return };
        state.finished = Some(reason.clone());
        let goes_on = cut == Cut::Nothing && self.server_calls.as_ref().is_some_and(|it| it.attempt == state.attempt);
        if !goes_on {
            self.decide(Verdict::Finished(reason));
        }
    }

    pub(super) fn finish_reason(&self, attempt: Attempt) -> Option<&FinishReason> {
        self.attempt.as_ref().filter(|state| state.attempt == attempt)?.finished.as_ref()
    }

    /// Whether the provider reported in that attempt that it is finished.
    #[must_use]
    pub fn has_finished(&self, attempt: Attempt) -> bool {
        self.finish_reason(attempt).is_some()
    }

    /// How many pieces of output there were before that turn.
    #[must_use]
    pub fn pieces_before(&self, turn: u16) -> usize {
        let mut calls = self.calls.iter().filter(|(attempt, _)| attempt.turn == turn);
        calls.next().map_or(self.output.pieces, |(_, call)| call.pieces_before)
    }

    fn fail(&mut self, attempt: Attempt, failure: AttemptFailure) {
        if self.is_running(attempt)
            && let Some(state) = &mut self.attempt
        {
            state.failed = Some(failure);
        }
    }

    /// Takes back that a finished turn was the last one: this server runs its calls, and another turn follows.
    pub(super) fn go_on_after(&mut self, attempt: Attempt) {
        let current = self.attempt.as_ref().is_some_and(|state| state.attempt == attempt);
        if current && matches!(self.verdict, Some(Verdict::Finished(_))) {
            self.verdict = None;
        }
    }

    pub(super) fn decide(&mut self, verdict: Verdict) {
        self.verdict.get_or_insert(verdict);
    }

    fn end(&mut self, at: Timestamp, events: &mut Vec<ResponseEvent>) {
        self.end_as(RecordedEnding { ending: self.standing_verdict().ending(), at }, events);
    }

    /// Ends a log that has no last fact of its own, in the way that was recorded beside it: it was ended by somebody who
    /// could not read it. Changes nothing once the log has ended.
    pub fn end_as(&mut self, recorded: RecordedEnding, events: &mut Vec<ResponseEvent>) {
        if self.ended.is_some() {
            return;
        }
        let RecordedEnding { ending, at } = recorded;
        self.output.close(Cut::Everything, events);
        self.ended = Some((ending, at));
        let sequence_number = self.output.number();
        events.extend(self.response().map(|response| super::snapshot::terminal_event(sequence_number, response)));
    }

    /// How the response would end if nothing more came.
    #[must_use]
    pub fn standing_verdict(&self) -> Verdict {
        let failed = || self.attempt.as_ref().and_then(|state| state.failed.as_ref());
        let cause = || failed().map_or(Cause::InternalError, |failure| failure.cause);
        self.verdict.clone().unwrap_or_else(|| Verdict::Failed(cause()))
    }

    /// What the provider said of the request, where its refusal is what the response ended with for that cause.
    pub(super) fn rejection_for(&self, cause: Cause) -> Option<&ProviderRejection> {
        let failed = self.attempt.as_ref().filter(|_| self.verdict.is_none())?.failed.as_ref()?;
        failed.rejection.as_deref().filter(|_| failed.cause == cause)
    }
}
