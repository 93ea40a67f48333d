//! From what the provider says to what clients see: folded, committed, emitted.

use std::{sync::Arc, time::Duration};

use actix::{ActorContext, AsyncContext, Context, Handler};
use tokio::time::Instant;

use super::{ResponseSupervisor, RunFact, retelling::AnotherStory, supervisor::Stage};
use crate::actors::{
    client_stream::ResponsePhase, persistence_accumulator::StoreFact, provider_reader::ProviderMessage,
};
use crate::domain::{AllowedOutput, Attempt, Cause, Fact, Frame, Limit, ProviderEvent};
use crate::fault::{self, FaultPoint};
use crate::protocol::Usage;
use crate::provider;
use crate::refusal::Refusal;
use crate::store::Conflict;

/// The most items and parts of items that one response may have.
const MOST_PIECES: usize = 4_096;

/// How long after a refusal the database is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What of one read is new and allowed.
struct Read {
    events: Vec<ProviderEvent>,
    /// The last report. Some providers report with every word, and only the last one counts.
    usage: Option<Usage>,
}

impl ResponseSupervisor {
    /// Folds facts and has them made durable.
    pub(super) fn record(&mut self, facts: impl IntoIterator<Item = Fact>, ctx: &mut Context<Self>) {
        let mut events = Vec::new();
        for fact in facts {
            let remember = || self.past.as_ref().map_or(Ok(()), |past| past.remember(&fact));
            if let Err(error) = self.write_buffer.borrow_mut().push(&fact).and_then(|()| remember()) {
                tracing::error!(error = %error, fact = fact.name(), "a fact could not be encoded");
                return ctx.stop();
            }
            self.transcript.apply(fact, &mut events);
            let needs = self.transcript.facts();
            self.unstored_frames.extend(events.drain(..).map(|event| (needs, Frame::encode(&event))));
        }
        if self.transcript.facts() > self.stored_facts {
            self.waiting_since.get_or_insert_with(Instant::now);
            self.children.wake_accumulator();
        }
        if !self.is_stored() && matches!(self.stage, Stage::Running) {
            self.stored(self.transcript.facts(), ctx);
        }
    }

    /// All facts below this number are durable: clients may see what they make visible.
    pub(super) fn stored(&mut self, facts: u64, ctx: &mut Context<Self>) {
        self.stored_facts = self.stored_facts.max(facts);
        if let Some(past) = &self.past {
            past.commit(self.stored_facts);
        }
        let all = self.stored_facts >= self.transcript.facts();
        self.waiting_since = (!all).then(Instant::now);
        let mut published = false;
        while let Some((_, frame)) = self.unstored_frames.pop_front_if(|(needs, _)| *needs <= facts) {
            self.frame_buffer.borrow_mut().publish(frame);
            published = true;
        }
        if published {
            fault::reach(FaultPoint::FramePublished);
            self.readers.nudge();
        }
        self.give_credit();
        self.read_when_durable(ctx);
    }

    /// Gives credit back for what is durable. Without a log slow clients hold it back, since nothing else
    /// keeps what they have not seen.
    pub(super) fn give_credit(&mut self) {
        if self.frame_buffer.borrow().is_full() && !self.is_stored() {
            return;
        }
        let mut bytes = 0;
        let stored = self.stored_facts;
        while let Some((_, cost)) = self.unstored_credit.pop_front_if(|(needs, _)| *needs <= stored) {
            bytes += cost;
        }
        if bytes > 0 {
            self.children.grant(bytes);
        }
    }

    fn read(&mut self, attempt: Attempt, events: Vec<ProviderEvent>, cost: usize, ctx: &mut Context<Self>) {
        let mut read = Read { events: Vec::with_capacity(events.len()), usage: None };
        let stop = events.into_iter().find_map(|event| self.screen(attempt, event, &mut read));
        self.note_heard(&read.events);
        let known = self.transcript.reported_usage(attempt);
        let usage = read.usage.filter(|usage| known != Some(*usage)).map(ProviderEvent::Usage);
        let facts = read.events.into_iter().chain(usage).map(|event| Fact::Provider { attempt, event });
        self.record(facts.collect::<Vec<_>>(), ctx);
        fault::reach(FaultPoint::FactsRecorded);
        if self.transcript.lost_call().is_some() {
            let facts = self.transcript.facts();
            self.tries.traceable_from.get_or_insert(facts);
        }
        self.unstored_credit.push_back((self.transcript.facts(), cost));
        self.readers.announce_opened(self.opened);
        if self.transcript.pieces() > 0 {
            // Nothing is tried again: the prompt is of no more use.
            self.plan.prompt = Arc::default();
        }
        if let Some(last) = stop {
            self.finish([last], ctx);
        } else if self.transcript.pieces() > MOST_PIECES {
            tracing::warn!(provider = self.provider(), "a provider cut its output into too many pieces");
            self.finish([Fact::ProviderFailed { attempt, cause: Cause::ProviderProtocolError }], ctx);
        } else {
            // What adds no fact is durable already: nothing else would give its credit back.
            self.give_credit();
        }
    }

    /// Lets through what is new and allowed. The fact that ends the response if this event does.
    fn screen(&mut self, attempt: Attempt, event: ProviderEvent, read: &mut Read) -> Option<Fact> {
        let nonsense = Fact::ProviderFailed { attempt, cause: Cause::ProviderProtocolError };
        if let ProviderEvent::Usage(usage) = event {
            // What was reported before a point that was recorded is recorded too.
            if !self.tries.is_replaying() || self.transcript.reported_usage(attempt).is_none() {
                read.usage = Some(usage);
            }
            return None;
        }
        let event = match self.tries.unheard(event) {
            Ok(event) => event?,
            Err(AnotherStory) => {
                tracing::warn!(provider = self.provider(), "a provider tells a call differently from the first time");
                return Some(nonsense);
            }
        };
        if event.is_too_deep() {
            tracing::warn!(provider = self.provider(), "a provider sent JSON that is nested too deeply");
            return Some(nonsense);
        }
        if let ProviderEvent::FunctionCallStarted { name, .. } = &event
            && !self.plan.request.may_call(name)
        {
            tracing::warn!(provider = self.provider(), "a provider called a function that it may not call");
            return Some(nonsense);
        }
        if matches!(event, ProviderEvent::Opened { .. }) {
            fault::reach(FaultPoint::OpenedHeard);
            self.opened = true;
            self.tries.answered();
        }
        match self.allowance.take(event) {
            AllowedOutput::Whole(event) => {
                read.events.push(event);
                None
            }
            AllowedOutput::Cut(event) => {
                read.events.extend(event);
                Some(Fact::LimitReached { limit: Limit::OutputBytes })
            }
        }
    }

    fn reader_ended(&mut self, result: Result<(), provider::Error>, ctx: &mut Context<Self>) {
        let error = result.err().unwrap_or(provider::Error::Closed);
        if self.transcript.is_finished() {
            return self.finish([], ctx);
        }
        tracing::warn!(error = %error, provider = self.provider(), "a provider failed");
        self.attempt_failed(error.cause(), Some(error), ctx);
    }

    fn admitted(&mut self, facts: u64, ctx: &mut Context<Self>) {
        fault::reach(FaultPoint::AdmissionAcknowledged);
        let next = if self.decided { Stage::Settling } else { Stage::Running };
        if let Stage::Admitting(reply) = std::mem::replace(&mut self.stage, next) {
            if self.plan.request.background {
                // Its client is told so at once, whatever becomes of it.
                self.success_promise.succeed();
            }
            // Who asked may have left; their client says so.
            let _left = reply.send(Ok(()));
        }
        // What is not stored counts as durable once it is in memory, except for the ending.
        let durable = if self.is_stored() { facts } else { self.transcript.facts() };
        self.stored(durable, ctx);
        if self.decided {
            self.estimate_and_settle(ctx);
        }
    }

    fn ownership_lost(&mut self, conflict: Conflict, ctx: &mut Context<Self>) {
        if conflict == Conflict::KeyTaken {
            return self.give_way(ctx);
        }
        tracing::warn!(conflict = %conflict, "another owner has the response");
        self.refuse_admission(Refusal::Internal);
        ctx.stop();
    }

    /// Another response has the idempotency key. There is nothing of this one to be settled.
    fn give_way(&mut self, ctx: &mut Context<Self>) {
        if self.is_undecided() {
            self.stop_trying(ctx);
            self.decided = true;
            if self.plan.request.background {
                self.registry.do_send(RunFact::TurnOver(self.plan.id));
            }
        }
        self.registry.do_send(RunFact::Concluded(self.plan.id));
        self.refuse_admission(Refusal::IdempotencyKeyInUse);
        ctx.stop();
    }

    fn refused(&mut self, ctx: &mut Context<Self>) {
        if self.refuse_admission(Refusal::Internal) {
            return ctx.stop();
        }
        ctx.run_later(RETRY_PAUSE, |supervisor, _| supervisor.children.retry());
    }

    /// Answers who waits for the admission, if it is not done yet.
    fn refuse_admission(&mut self, error: Refusal) -> bool {
        match std::mem::replace(&mut self.stage, Stage::Settling) {
            Stage::Admitting(reply) => {
                let _left = reply.send(Err(error));
                true
            }
            stage @ (Stage::Running | Stage::Settling | Stage::Over(_)) => {
                self.stage = stage;
                false
            }
        }
    }

    /// Gives up waiting for the database: the provider is stopped and the clients' connections end. The
    /// ending is made durable when the database is back.
    pub(super) fn check_patience(&mut self, ctx: &mut Context<Self>) {
        let settings = &self.node.settings;
        let patience = match self.stage {
            Stage::Admitting(_) => settings.admission_patience.min(settings.outage_patience),
            Stage::Running | Stage::Settling | Stage::Over(_) => settings.outage_patience,
        };
        let impatient = self.waiting_since.is_some_and(|since| since.elapsed() >= patience);
        if !impatient || self.frame_buffer.borrow().unavailable {
            return;
        }
        tracing::error!("the database is away for longer than the response waits");
        let at = self.node.clock.now();
        if self.is_undecided() {
            self.finish([Fact::ServerFailed { at, cause: Cause::DatabaseUnavailable }], ctx);
        }
        self.refuse_admission(Refusal::DatabaseUnavailable);
        self.frame_buffer.borrow_mut().unavailable = true;
        self.readers.announce(&ResponsePhase::Unavailable);
        self.readers.nudge();
        self.refuse_cancels();
    }
}

impl Handler<ProviderMessage> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, message: ProviderMessage, ctx: &mut Self::Context) {
        let is_running = matches!(self.stage, Stage::Running);
        // A reader that was stopped may have sent more before it was.
        let reading = self.tries.reading().filter(|_| is_running);
        match message {
            ProviderMessage::Events { attempt, events, cost } if reading == Some(attempt) => {
                self.read(attempt, events, cost, ctx);
            }
            ProviderMessage::Ended { attempt, result } if reading == Some(attempt) => self.reader_ended(result, ctx),
            ProviderMessage::Events { .. } | ProviderMessage::Ended { .. } => {}
        }
    }
}

impl Handler<StoreFact> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, fact: StoreFact, ctx: &mut Self::Context) {
        match fact {
            StoreFact::Admitted { facts } => self.admitted(facts, ctx),
            StoreFact::Stored { facts } => {
                fault::reach(FaultPoint::SegmentAcknowledged);
                self.stored(facts, ctx);
            }
            StoreFact::Ended => self.conclude(ctx),
            StoreFact::OwnershipLost(conflict) => self.ownership_lost(conflict, ctx),
            StoreFact::Refused => self.refused(ctx),
        }
    }
}
