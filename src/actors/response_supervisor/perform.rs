//! Performing the effects of a run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{
    ResponseSupervisor, RunMilestone,
    ending::{Estimate, UsageOwner, finish_draft, outcome, usage_records},
    provider::ReaderStart,
};
use crate::actors::{
    client_stream::ResponsePhase,
    persistence_accumulator::{ResponseOwner, RetryCommit, Work},
};
use crate::domain::{
    AdmissionFailure, Cause, Fact, RecordedFact, RunEffect, RunEvent, RunNote, Timer, ToolCallRequest, ToolResult,
    UnreportedTurn, UsageEstimates, Violation,
};
use crate::fault::{self, FaultPoint};
use crate::refusal::Refusal;

/// The tool output that the model gets for a call of a tool that this server does not have.
const UNKNOWN_TOOL: &str = "This server has no tool of that name.";

impl ResponseSupervisor {
    /// Performs an effect. Returns the event of the run that follows at once, if one does.
    pub(super) fn perform(&mut self, effect: RunEffect, ctx: &mut Context<Self>) -> Option<RunEvent> {
        match effect {
            RunEffect::Record(facts) => self.record(facts, ctx),
            RunEffect::Publish { facts } => self.publish(facts),
            RunEffect::PromiseSuccess => drop(self.promise.succeed()),
            RunEffect::AcceptAdmission => self.answer_admission(Ok(())),
            RunEffect::RefuseAdmission(failure) => self.answer_admission(Err(self.refusal(failure))),
            RunEffect::BuildPrompt { turn, tools } => return self.build_prompt(turn, tools, ctx),
            RunEffect::StopBuildingPrompt => self.stop_building_prompt(ctx),
            RunEffect::DropPrompt => self.drop_prompt(),
            RunEffect::RequestSlot { target, queue, patience } => {
                return self.request_slot(target, queue, patience, ctx);
            }
            RunEffect::ReleaseSlot => self.release_slot(ctx),
            RunEffect::AdmitAttempt { target, kind } => return Some(self.admit_attempt(target, kind)),
            RunEffect::ReportAttempt(report) => self.report_attempt(report),
            RunEffect::SpendRetry { target } => return Some(self.spend_retry(target)),
            RunEffect::OpenAttempt { attempt, target } => {
                fault::reach(FaultPoint::AttemptDurable);
                return self.start_reader(attempt, target, ReaderStart::Open, ctx);
            }
            RunEffect::Reattach { attempt, target, provider_response_id } => {
                fault::reach(FaultPoint::CallReattached);
                return self.start_reader(attempt, target, ReaderStart::Reattach(provider_response_id), ctx);
            }
            RunEffect::StopReading => self.provider.stop_reading(),
            RunEffect::CancelAtProvider { target, provider_response_id } => {
                self.cancel_at_provider(target, provider_response_id);
            }
            RunEffect::RunTool(call) => return Some(unknown_tool(&call)),
            // No tool runs in the background: each call is answered at once.
            RunEffect::StopTools => {}
            RunEffect::StartTimer { timer, after } => self.start_timer(timer, after, ctx),
            RunEffect::StopTimer(timer) => self.stop_timer(timer, ctx),
            RunEffect::AnnounceOpened => self.clients.announce_opened(),
            RunEffect::AnnounceUnavailable => self.announce_unavailable(),
            RunEffect::ReleaseBackgroundSlot => self.report(RunMilestone::BackgroundSlotReleased),
            RunEffect::EstimateUsage(turns) => self.estimate_usage(turns, ctx),
            RunEffect::WithdrawSuccess => return Some(RunEvent::SuccessWithdrawn { in_time: self.promise.fail() }),
            RunEffect::StoreEnding { estimates, releases_key } => self.store_ending(&estimates, releases_key),
            RunEffect::RetryStore => self.retry_store(),
            RunEffect::Conclude => self.conclude(),
            RunEffect::AnswerCancels => self.answer_cancels(),
            RunEffect::RefuseCancels => self.refuse_cancels(),
            RunEffect::HandOver => self.leave(RunMilestone::HandedOver, ctx),
            RunEffect::Leave => self.leave(RunMilestone::Concluded, ctx),
            RunEffect::Abandon => ctx.stop(),
            RunEffect::Note(note) => self.log(note),
        }
        None
    }

    fn record(&mut self, facts: Vec<RecordedFact>, ctx: &mut Context<Self>) {
        let opens = facts.iter().any(|recorded| matches!(recorded.fact, Fact::AttemptOpening { .. }));
        if let Err(error) = self.commits.push(facts) {
            tracing::error!(error = %error, "a fact could not be encoded");
            return ctx.stop();
        }
        if let Some(accumulator) = &self.accumulator {
            accumulator.addr().do_send(Work);
        }
        if opens {
            fault::reach(FaultPoint::AttemptOpening);
        }
    }

    fn publish(&mut self, facts: u64) {
        if self.commits.publish(facts) {
            fault::reach(FaultPoint::FramePublished);
            self.clients.nudge();
        }
        self.give_credit();
    }

    fn answer_admission(&mut self, answer: Result<(), Refusal>) {
        if let Some(reply) = self.admission.take() {
            // The caller may have left; its connection reports that.
            let _left = reply.send(answer);
        }
    }

    fn start_timer(&mut self, timer: Timer, after: Duration, ctx: &mut Context<Self>) {
        self.stop_timer(timer, ctx);
        let handle = ctx.run_later(after, move |supervisor, ctx| {
            supervisor.timers.remove(&timer);
            supervisor.feed(RunEvent::TimerFired(timer), ctx);
        });
        self.timers.insert(timer, handle);
    }

    fn stop_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        if let Some(handle) = self.timers.remove(&timer) {
            ctx.cancel_future(handle);
        }
    }

    fn announce_unavailable(&self) {
        self.commits.frame_buffer.borrow_mut().unavailable = true;
        self.clients.announce(&ResponsePhase::Unavailable);
        self.clients.nudge();
    }

    /// Estimates usage that no provider reported, off this thread.
    fn estimate_usage(&mut self, turns: Vec<UnreportedTurn>, ctx: &mut Context<Self>) {
        let (node, encoding) = (Arc::clone(&self.node), self.plan.encoding);
        let estimated = async move {
            let mut output_tokens = BTreeMap::new();
            for UnreportedTurn { turn, text } in turns {
                output_tokens.insert(turn, node.estimate(encoding, text).await);
            }
            UsageEstimates { output_tokens }
        };
        ctx.spawn(estimated.into_actor(self).map(|estimates, supervisor, ctx| {
            supervisor.feed(RunEvent::UsageEstimated(estimates), ctx);
        }));
    }

    fn store_ending(&mut self, estimates: &UsageEstimates, releases_key: bool) {
        let transcript = self.run.transcript();
        let plan = &self.plan;
        let owner =
            UsageOwner { response: plan.id, user: plan.user, model: self.node.models.plain_name(&plan.request.model) };
        let estimate = Estimate { input: u64::from(plan.prompt_tokens), output: estimates };
        let usage = usage_records(transcript, owner, &estimate, self.node.clock.now());
        let mut write_buffer = self.commits.write_buffer.borrow_mut();
        let owner = ResponseOwner { id: plan.id, epoch: write_buffer.epoch() };
        if let Some(mut draft) = finish_draft(transcript, owner, usage) {
            draft.ending.releases_key = releases_key;
            write_buffer.end(draft);
        }
        if let Some(accumulator) = &self.accumulator {
            accumulator.addr().do_send(Work);
        }
    }

    fn retry_store(&self) {
        if let Some(accumulator) = &self.accumulator {
            accumulator.addr().do_send(RetryCommit);
        }
    }

    fn conclude(&mut self) {
        self.provider.calls_are_over();
        let Some(outcome) = outcome(self.run.transcript(), self.run.hint()).map(Arc::new) else { return };
        tracing::info!(status = outcome.status.as_str(), cause = outcome.cause.map(Cause::as_str), "response ended");
        self.commits.frame_buffer.borrow_mut().over = true;
        fault::reach(FaultPoint::EndingConcluded);
        self.clients.announce(&ResponsePhase::Ended(Arc::clone(&outcome)));
        self.clients.nudge();
        self.outcome = Some(outcome);
    }

    fn leave(&self, milestone: RunMilestone, ctx: &mut Context<Self>) {
        self.report(milestone);
        ctx.stop();
    }

    fn log(&self, note: RunNote) {
        let provider = self.provider_name();
        match note {
            RunNote::EndingDecided => fault::reach(FaultPoint::EndingDecided),
            RunNote::EventReplayed => fault::reach(FaultPoint::FactRecognized),
            RunNote::ReplayDiverged => tracing::warn!(provider, "a replayed call differs from the first time"),
            RunNote::JsonTooDeep => tracing::warn!(provider, "a provider sent JSON that is nested too deeply"),
            RunNote::FunctionForbidden => {
                tracing::warn!(provider, "a provider called a function that it may not call");
            }
            // Its usage record says that it is estimated.
            RunNote::UsageNotBelieved => tracing::debug!(provider, "a provider's count of tokens is not believed"),
            RunNote::TooManyPieces => {
                tracing::warn!(provider, "a provider sent more items and parts than responses.max_output_parts");
            }
            RunNote::AttemptFollows(next) => tracing::info!(provider, next = ?next, "another attempt follows"),
            RunNote::CallRecovered => tracing::info!(provider, "a lost call is reattached"),
            RunNote::DatabaseAway => tracing::error!("the database is away for longer than the response waits"),
            RunNote::HandedOver => tracing::info!("the response is left to another process"),
        }
    }
}

fn unknown_tool(call: &ToolCallRequest) -> RunEvent {
    let result = ToolResult::Failed(UNKNOWN_TOOL.to_owned());
    RunEvent::ToolEnded { attempt: call.attempt, call: call.call, result }
}

impl ResponseSupervisor {
    fn refusal(&self, failure: AdmissionFailure) -> Refusal {
        match failure {
            AdmissionFailure::DatabaseAway => Refusal::DatabaseUnavailable,
            AdmissionFailure::KeyTaken => Refusal::IdempotencyKeyInUse,
            AdmissionFailure::PreviousMissing => match self.plan.request.previous_response_id {
                Some(previous) => Violation::previous_not_found(previous).into(),
                None => Refusal::Internal,
            },
            AdmissionFailure::UserDeleted => Refusal::UserDeleted,
            AdmissionFailure::Failed => Refusal::Internal,
        }
    }
}
