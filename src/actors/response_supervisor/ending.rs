//! How a response is brought to its end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{ResponseSupervisor, RunFact, supervisor::Stage};
use crate::actors::{
    client_stream::{ResponseOutcome, ResponsePhase},
    persistence_accumulator::EndingDraft,
};
use crate::domain::{Fact, Timestamp, Transcript};
use crate::fault::{self, FaultPoint};
use crate::protocol::{ResponseId, Status, Usage, UserId};
use crate::provider;
use crate::store::{EndingRecord, UsageRecord};

impl ResponseSupervisor {
    /// Ends the response: these facts are its last ones, and the fold decides what they mean. The provider's
    /// socket is closed at once.
    pub(super) fn finish(&mut self, facts: impl IntoIterator<Item = Fact>, ctx: &mut Context<Self>) {
        if !self.is_undecided() {
            return;
        }
        self.stop_trying(ctx);
        self.decided = true;
        if self.plan.request.background {
            self.registry.do_send(RunFact::TurnOver(self.plan.id));
        }
        self.last_facts = facts.into_iter().collect();
        fault::reach(FaultPoint::EndingDecided);
        if matches!(self.stage, Stage::Running) {
            self.stage = Stage::Settling;
            self.estimate_and_settle(ctx);
        }
    }

    /// The usage that no provider reported is estimated, off this thread, before the ending is written.
    pub(super) fn estimate_and_settle(&mut self, ctx: &mut Context<Self>) {
        let reported = self.tries.attempt.and_then(|attempt| self.transcript.reported_usage(attempt));
        let text = self.transcript.written().filter(|_| reported.is_none());
        let Some(text) = text else { return self.settle(0, ctx) };
        let node = Arc::clone(&self.node);
        let encoding = self.plan.encoding;
        let estimate = async move { node.estimate(encoding, text).await };
        ctx.spawn(estimate.into_actor(self).map(|tokens, supervisor, ctx| supervisor.settle(tokens, ctx)));
    }

    /// The last facts and the ending become durable together: no append must carry the terminal event.
    fn settle(&mut self, output_tokens: u64, ctx: &mut Context<Self>) {
        let ended = Fact::Ended { at: self.node.clock.now() };
        let facts = std::mem::take(&mut self.last_facts);
        self.record(facts.into_iter().chain([ended]), ctx);
        let estimate = Estimate { input: u64::from(self.plan.prompt_tokens), output: output_tokens };
        let who = (self.plan.id, self.plan.user, self.plan.request.model.as_str());
        let usage = usage_records(&self.transcript, who, estimate, self.node.clock.now());
        let epoch = self.write_buffer.borrow().epoch();
        if let Some(mut draft) = finish_draft(&self.transcript, (self.plan.id, epoch), usage) {
            draft.ending.releases_key = self.releases_key(draft.ending.status);
            self.write_buffer.borrow_mut().end(draft);
            self.children.wake_accumulator();
        }
    }

    /// A response that failed without a word, and of which no client was told a success, gives its idempotency key back:
    /// from here on its clients are told of the failure, and the request may be repeated.
    fn releases_key(&self, status: Status) -> bool {
        let silent = status == Status::Failed && self.transcript.pieces() == 0;
        silent && self.success_promise.fail() && self.plan.idempotency.is_some()
    }

    /// The ending is durable: everybody may see it.
    pub(super) fn conclude(&mut self, ctx: &mut Context<Self>) {
        fault::reach(FaultPoint::EndingAcknowledged);
        let hint = (self.provider_error.as_ref(), self.retry_after);
        let Some(outcome) = outcome(&self.transcript, hint).map(Arc::new) else { return };
        tracing::info!(
            status = outcome.status.as_str(),
            cause = outcome.cause.map(crate::domain::Cause::as_str),
            "response ended"
        );
        self.stored(self.transcript.facts(), ctx);
        self.frame_buffer.borrow_mut().over = true;
        self.stage = Stage::Over(Arc::clone(&outcome));
        fault::reach(FaultPoint::EndingConcluded);
        self.readers.announce(&ResponsePhase::Ended(Arc::clone(&outcome)));
        self.readers.nudge();
        self.answer_cancels(&outcome);
        self.leave_when_done(ctx);
    }
}

/// What this server counted itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Estimate {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

/// How an ended transcript's response ended, with what its last attempt failed of, or when it is worth coming
/// back where there was none.
pub(crate) fn outcome(
    transcript: &Transcript,
    (error, later): (Option<&provider::Error>, Option<Duration>),
) -> Option<ResponseOutcome> {
    let (ending, _) = transcript.ended()?;
    let (provider_status, retry_after) = match error {
        Some(provider::Error::Status { status, retry_after, .. }) => (Some(*status), *retry_after),
        Some(_) | None => (None, later),
    };
    Some(ResponseOutcome {
        status: ending.status,
        cause: ending.cause,
        response: Arc::from(transcript.response()?),
        provider_status,
        retry_after,
    })
}

/// What is written when a transcript has ended.
pub(crate) fn finish_draft(
    transcript: &Transcript,
    (id, epoch): (ResponseId, i64),
    usage: Vec<UsageRecord>,
) -> Option<EndingDraft> {
    let (ending, ended_at) = transcript.ended()?.clone();
    let ending = EndingRecord {
        id,
        epoch,
        status: ending.status,
        cause: ending.cause,
        finish_reason: ending.finish_reason,
        ended_at,
        content: None,
        last_segment: None,
        items: Vec::new(),
        usage,
        releases_key: false,
    };
    Some(EndingDraft { ending, text: transcript.text(), items: transcript.items().to_vec() })
}

/// One record per turn: what its provider reported, else the estimate; nothing was used by a turn whose
/// provider never answered.
pub(crate) fn usage_records(
    transcript: &Transcript,
    (response, user, model): (ResponseId, UserId, &str),
    estimate: Estimate,
    at: Timestamp,
) -> Vec<UsageRecord> {
    let mut turns: BTreeMap<u16, UsageRecord> = BTreeMap::new();
    for (attempt, provider, opened, reported) in transcript.provider_calls() {
        let record = turns.entry(attempt.turn).or_insert_with(|| UsageRecord {
            response,
            user,
            turn: attempt.turn,
            provider: String::new(),
            model: model.to_owned(),
            usage: Usage::default(),
            estimated: true,
            at,
        });
        provider.clone_into(&mut record.provider);
        match reported {
            Some(usage) if record.estimated => (record.usage, record.estimated) = (usage, false),
            Some(usage) => record.usage = record.usage.plus(usage),
            None if record.estimated && opened => record.usage = estimate.usage(),
            None => {}
        }
    }
    turns.into_values().collect()
}

impl Estimate {
    fn usage(self) -> Usage {
        Usage {
            input_tokens: self.input,
            output_tokens: self.output,
            total_tokens: self.input.saturating_add(self.output),
            ..Usage::default()
        }
    }
}
