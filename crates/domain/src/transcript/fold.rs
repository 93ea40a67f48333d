//! The fold itself: which fact does what.

use std::collections::BTreeMap;

use super::{
    Ending, Verdict,
    output::{Cut, Output, Voice},
};
use crate::{Attempt, Cause, Fact, FinishReason, LostCall, Request, RunPolicy, Timestamp};
use antiphon_protocol::{ItemStatus, LogProb, ResponseEvent, ResponseId, Status, Usage};

/// A response as far as its facts go.
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
    pub(super) output: Output,
    pub(super) attempt: Option<AttemptState>,
    pub(super) calls: BTreeMap<Attempt, ProviderCall>,
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
    attempt: Attempt,
    finished: bool,
    failed: Option<Cause>,
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
}

impl Transcript {
    /// A response of which nothing is known but its id.
    #[must_use]
    pub fn new(id: ResponseId) -> Self {
        Self {
            facts: 0,
            created: None,
            run_policy: None,
            deadline: None,
            output: Output::new(id),
            attempt: None,
            calls: BTreeMap::new(),
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
        if let Fact::Created { id: _, at, request } = fact {
            self.create(at, Box::new((*request).into()), events);
        } else if let Fact::Accepted { id: _, at, request } = fact {
            self.create(at, request, events);
        } else if self.created.is_some() {
            self.apply_to_created(fact, events);
        }
    }

    fn apply_to_created(&mut self, fact: Fact, events: &mut Vec<ResponseEvent>) {
        match fact {
            Fact::Created { .. } | Fact::Accepted { .. } => {}
            Fact::AttemptOpening { attempt, at: _, provider, model } => self.open(attempt, (provider, model), events),
            Fact::AttemptOpened { attempt, provider_response_id } => {
                if let Some(call) = self.calls.get_mut(&attempt) {
                    call.opened = true;
                    call.id = provider_response_id;
                }
            }
            Fact::ToolStarted { attempt, call: _ } => self.go_on_after(attempt),
            Fact::ToolAnswered { attempt, call, output } => {
                self.output.answer((attempt, call), output, ItemStatus::Completed, events);
            }
            Fact::ToolFailed { attempt, call, message } => {
                self.output.answer((attempt, call), message, ItemStatus::Incomplete, events);
            }
            Fact::UsageReported { attempt, usage } => {
                if let Some(call) = self.calls.get_mut(&attempt) {
                    call.usage = Some(usage);
                }
            }
            Fact::ProviderFinished { attempt, reason } => self.finish(attempt, reason, events),
            Fact::ProviderFailed { attempt, cause } => self.fail(attempt, cause),
            Fact::LimitReached { limit } => self.decide(Verdict::of_limit(limit)),
            Fact::CancelRequested { at: _ } => self.decide(Verdict::Cancelled),
            Fact::ClientLost { at: _ } => self.decide(Verdict::ClientLost),
            Fact::NodeLost { at: _ } => self.decide(Verdict::Failed(Cause::ServerInterrupted)),
            Fact::DeadlinePassed { at: _ } => self.decide(Verdict::Failed(Cause::DeadlineExceeded)),
            Fact::ServerFailed { at: _, cause } => self.decide(Verdict::Failed(cause)),
            Fact::RunPolicySet { run_policy } => {
                self.run_policy.get_or_insert(run_policy);
            }
            Fact::DeadlineSet { at } => {
                self.deadline.get_or_insert(at);
            }
            Fact::Ended { at } => self.end(at, events),
            said @ (Fact::TextArrived { .. }
            | Fact::ScoredTextArrived { .. }
            | Fact::AnnotationArrived { .. }
            | Fact::ReasoningArrived { .. }
            | Fact::SummaryArrived { .. }
            | Fact::ReasoningSealed { .. }
            | Fact::RefusalArrived { .. }
            | Fact::PartFinished { .. }
            | Fact::SpeechFinished { .. }
            | Fact::CallStarted { .. }
            | Fact::ArgumentsArrived { .. }
            | Fact::CallFinished { .. }
            | Fact::OtherStarted { .. }
            | Fact::OtherReported { .. }
            | Fact::OtherFinished { .. }) => self.hear(said, events),
        }
    }

    /// What a provider says, if it is the one that is being heard.
    fn hear(&mut self, said: Fact, events: &mut Vec<ResponseEvent>) {
        let Some(attempt) = said.attempt().filter(|attempt| self.is_running(*attempt)) else { return };
        let (output, unscored) = (&mut self.output, Vec::<LogProb>::new);
        match said {
            Fact::TextArrived { text, .. } => output.say(Voice::Text, text, unscored(), events),
            Fact::ScoredTextArrived { text, logprobs, .. } => output.say(Voice::Text, text, logprobs, events),
            Fact::ReasoningArrived { text, .. } => output.say(Voice::Reasoning, text, unscored(), events),
            Fact::SummaryArrived { part, text, .. } => output.say(Voice::Summary(part), text, unscored(), events),
            Fact::RefusalArrived { text, .. } => output.say(Voice::Refusal, text, unscored(), events),
            Fact::AnnotationArrived { annotation, .. } => output.annotate(annotation, events),
            Fact::ReasoningSealed { encrypted_content, .. } => output.seal(encrypted_content, events),
            Fact::PartFinished { .. } => output.finish_part(events),
            Fact::SpeechFinished { extra, .. } => output.finish_speech(extra, events),
            Fact::CallStarted { call, call_id, name, .. } => output.start_call((attempt, call), call_id, name, events),
            Fact::ArgumentsArrived { call, text, .. } => output.argue((attempt, call), text, events),
            Fact::CallFinished { call, extra, .. } => output.finish_call((attempt, call), extra, events),
            Fact::OtherStarted { item, fields, .. } => output.start_other((attempt, item), fields, events),
            Fact::OtherReported { item, event, fields, .. } => {
                output.report_other((attempt, item), event, fields, events);
            }
            Fact::OtherFinished { item, fields, .. } => output.finish_other((attempt, item), fields, events),
            Fact::Created { .. }
            | Fact::Accepted { .. }
            | Fact::AttemptOpening { .. }
            | Fact::AttemptOpened { .. }
            | Fact::ToolStarted { .. }
            | Fact::ToolAnswered { .. }
            | Fact::ToolFailed { .. }
            | Fact::UsageReported { .. }
            | Fact::ProviderFinished { .. }
            | Fact::ProviderFailed { .. }
            | Fact::LimitReached { .. }
            | Fact::CancelRequested { .. }
            | Fact::ClientLost { .. }
            | Fact::NodeLost { .. }
            | Fact::DeadlinePassed { .. }
            | Fact::ServerFailed { .. }
            | Fact::RunPolicySet { .. }
            | Fact::DeadlineSet { .. }
            | Fact::Ended { .. } => {}
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

    fn open(&mut self, attempt: Attempt, (provider, model): (String, String), events: &mut Vec<ResponseEvent>) {
        if self.calls.contains_key(&attempt) {
            return;
        }
        let first = self.attempt.is_none();
        self.output.close(Cut::Everything, events);
        self.attempt = Some(AttemptState { attempt, finished: false, failed: None });
        self.calls.insert(attempt, ProviderCall { provider, model, opened: false, id: None, usage: None });
        if first {
            let sequence_number = self.output.number();
            events.extend(self.response().map(|response| ResponseEvent::InProgress { sequence_number, response }));
        }
    }

    /// The call of a provider that was at work when the log ended, if it told its id.
    #[must_use]
    pub fn lost_call(&self) -> Option<LostCall> {
        let attempt = self.attempt.as_ref().map(|state| state.attempt).filter(|attempt| self.is_running(*attempt))?;
        let ProviderCall { provider, model, id, .. } = self.calls.get(&attempt)?;
        let provider_response_id = id.clone()?;
        Some(LostCall { attempt, provider: provider.clone(), model: model.clone(), provider_response_id })
    }

    fn is_running(&self, attempt: Attempt) -> bool {
        self.verdict.is_none()
            && self
                .attempt
                .as_ref()
                .is_some_and(|state| state.attempt == attempt && !state.finished && state.failed.is_none())
    }

    fn finish(&mut self, attempt: Attempt, reason: FinishReason, events: &mut Vec<ResponseEvent>) {
        if !self.is_running(attempt) {
            return;
        }
        let cut = match reason {
            FinishReason::Length | FinishReason::ContentFilter => Cut::Last,
            FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other(_) => Cut::Nothing,
        };
        self.output.close(cut, events);
        if let Some(state) = &mut self.attempt {
            state.finished = true;
        }
        self.decide(Verdict::Finished(reason));
    }

    fn fail(&mut self, attempt: Attempt, cause: Cause) {
        if self.is_running(attempt)
            && let Some(state) = &mut self.attempt
        {
            state.failed = Some(cause);
        }
    }

    /// This server answers the calls of a finished turn itself: another turn follows.
    fn go_on_after(&mut self, attempt: Attempt) {
        let current = self.attempt.as_ref().is_some_and(|state| state.attempt == attempt);
        if current && matches!(self.verdict, Some(Verdict::Finished(_))) {
            self.verdict = None;
        }
    }

    fn decide(&mut self, verdict: Verdict) {
        self.verdict.get_or_insert(verdict);
    }

    fn end(&mut self, at: Timestamp, events: &mut Vec<ResponseEvent>) {
        let ending = self.standing_verdict().ending();
        self.output.close(Cut::Everything, events);
        self.ended = Some((ending, at));
        let sequence_number = self.output.number();
        events.extend(self.response().map(|response| super::snapshot::terminal_event(sequence_number, response)));
    }

    /// How the response would end if nothing more came.
    #[must_use]
    pub fn standing_verdict(&self) -> Verdict {
        let failed = || self.attempt.as_ref().and_then(|state| state.failed);
        self.verdict.clone().unwrap_or_else(|| Verdict::Failed(failed().unwrap_or(Cause::InternalError)))
    }
}
