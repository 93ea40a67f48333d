//! Going on with a response that another process began, and leaving one to whoever comes next.

use std::{sync::Arc, time::Duration};

use actix::{ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{ResponseSupervisor, RunFact, attempts::Step, retelling::Heard, supervisor::Stage};
use crate::actors::{planning::rebuild_plan, upstream::Upstream};
use crate::domain::{
    AllowedOutput, Fact, Failure, ProviderEvent, Reattach, Recovery, RetryPolicy, RunPlan, Transcript,
};
use crate::fault::{self, FaultPoint};

/// What an earlier process left of a response.
#[derive(Debug)]
pub(crate) struct Leftover {
    /// The fold of its log.
    pub(crate) transcript: Transcript,
    /// Where the last segment of its log begins.
    pub(crate) last_segment: u64,
    /// What its provider had said in the call that is to be listened to again.
    pub(crate) heard: Vec<ProviderEvent>,
}

impl ResponseSupervisor {
    /// The supervisor of a response that has a log already: all of it is durable.
    pub(super) fn taking_over(mut self, leftover: Leftover) -> Self {
        let Leftover { transcript, heard, .. } = leftover;
        self.stored_facts = transcript.facts();
        // Whoever listened before may have been told so.
        self.success_promise.succeed();
        self.frame_buffer.borrow_mut().begin_at(transcript.next_sequence());
        let mut fingerprint = Heard::default();
        for event in heard {
            if let Err(error) = fingerprint.add(&event) {
                tracing::error!(error = %error, fact = event.name(), "a fact could not be encoded");
            }
            // It was within the allowance the first time.
            if let AllowedOutput::Cut(_) = self.allowance.take(event) {
                break;
            }
        }
        self.tries.heard = Some(fingerprint);
        self.transcript = transcript;
        self
    }

    /// Does what follows by the log.
    pub(super) fn take_over(&mut self, ctx: &mut Context<Self>) {
        match self.transcript.recovery() {
            // The registry gives it its turn.
            Recovery::Run => {}
            Recovery::Reattach(call) => {
                tracing::info!(provider = call.provider, "a lost call is listened to again");
                self.opened = true;
                self.tries.taken_over = true;
                self.tries.attempt = Some(call.attempt);
                self.tries.traceable_from = Some(self.stored_facts);
                self.tries.lost = Some(call);
                self.watch_deadline(ctx);
                self.wait_for_place_again(ctx);
                if !self.plan.request.background {
                    self.last_reader_left(ctx);
                }
            }
            Recovery::Settle => self.interrupt(ctx),
        }
    }

    /// The response ends because the process that ran it did.
    pub(super) fn interrupt(&mut self, ctx: &mut Context<Self>) {
        let at = self.node.clock.now();
        self.finish([Fact::NodeLost { at }], ctx);
    }

    /// Makes the prompt that the process before had made.
    pub(super) fn plan(&mut self, ctx: &mut Context<Self>) {
        self.tries.step = Step::Planning;
        let planned = rebuild_plan(Arc::clone(&self.node), self.plan.clone());
        self.tries.waiting = Some(ctx.spawn(planned.into_actor(self).map(|planned, supervisor, ctx| match planned {
            Ok(plan) => supervisor.planned(plan, ctx),
            Err(cause) => supervisor.fail(cause, ctx),
        })));
    }

    fn planned(&mut self, plan: RunPlan, ctx: &mut Context<Self>) {
        self.tries.aim_at(plan.targets.len());
        self.plan = plan;
        self.enter_gate(ctx);
    }

    /// The lost call counts among those that its provider has at work.
    fn wait_for_place_again(&mut self, ctx: &mut Context<Self>) {
        let Some(Upstream { control, .. }) = self.upstream() else { return self.interrupt(ctx) };
        self.await_place(control.line_up(&self.plan.caller), ctx);
    }

    /// Listens to the lost call from its beginning: what was heard before is recognized and left out.
    pub(super) fn listen_again(&mut self, ctx: &mut Context<Self>) {
        let (Some(call), Some(permit)) = (self.tries.lost.take(), self.tries.permit()) else { return };
        let Some(Upstream { provider, .. }) = self.upstream().filter(|upstream| upstream.provider.can_reattach())
        else {
            return self.interrupt(ctx);
        };
        self.tries.retelling = self.tries.heard.as_ref().map(Heard::again);
        self.tries.step = Step::Reading;
        fault::reach(FaultPoint::CallReattached);
        self.start_reader(&provider, (call.attempt, Some(call.provider_response_id)), permit, ctx);
    }

    /// This much more was heard of the provider's call, if it can be listened to again.
    pub(super) fn note_heard(&mut self, events: &[ProviderEvent]) {
        let Some(heard) = &mut self.tries.heard else { return };
        if !events.is_empty() {
            self.tries.reattached = 0;
        }
        if let Err(error) = events.iter().try_for_each(|event| heard.add(event)) {
            tracing::error!(error = %error, "a fact could not be encoded");
        }
    }

    /// Listens again after a pause if the connection to a call was lost that goes on without it. True if so, or if
    /// it was of no use and the response ends.
    pub(super) fn listen_again_after(&mut self, failure: &Failure, ctx: &mut Context<Self>) -> bool {
        let Some(Upstream { provider, control, .. }) = self.upstream() else { return false };
        let Some(call) = self.transcript.lost_call().filter(|_| provider.can_reattach()) else { return false };
        match RetryPolicy::reattach().reattach_after(self.tries.reattached, failure, control.jitter()) {
            Reattach::Again { after } => {
                self.tries.reattached += 1;
                self.children.stop_reader();
                self.tries.lost = Some(call);
                self.pause_then(after, Self::listen_again, ctx);
                return true;
            }
            Reattach::GivenUp => {
                self.tries.lost = Some(call);
                self.end_lost_call();
            }
            Reattach::Pointless => {}
        }
        // What the provider said itself is why it ends; that it could not be found again is not.
        let lost_track = self.tries.taken_over && !failure.is_told_by_provider();
        if lost_track {
            self.interrupt(ctx);
        }
        lost_track
    }

    fn pause_then(&mut self, wait: Duration, then: fn(&mut Self, &mut Context<Self>), ctx: &mut Context<Self>) {
        self.tries.step = Step::Pause;
        self.tries.waiting = Some(ctx.run_later(wait, move |supervisor, ctx| {
            if supervisor.is_undecided() {
                then(supervisor, ctx);
            }
        }));
    }

    /// A call that goes on without a listener is ended at its provider, which takes the same words as ending one
    /// that is listened to.
    pub(super) fn end_lost_call(&mut self) {
        let Some(call) = self.tries.lost.take() else { return };
        if let Some(Upstream { provider, .. }) = self.upstream().filter(|upstream| upstream.provider.can_reattach()) {
            self.tries.hand_over = crate::provider::HandOver::default();
            drop(provider.reattach(self.provider_request(), call.provider_response_id));
        }
    }

    /// Leaves the response to whoever has its record next, if that can go on with it. What is not durable yet is told
    /// again then. False if it can't be left.
    pub(super) fn hand_over(&mut self, ctx: &mut Context<Self>) -> bool {
        let can_go_on = match self.transcript.recovery() {
            Recovery::Run => !self.node.models.is_empty(),
            Recovery::Reattach(_) => {
                self.upstream().is_some_and(|upstream| upstream.provider.can_reattach())
                    && self.tries.traceable_from.is_some_and(|facts| facts <= self.stored_facts)
            }
            Recovery::Settle => false,
        };
        if !can_go_on || !self.is_stored() || !self.is_undecided() || !matches!(self.stage, Stage::Running) {
            return false;
        }
        tracing::info!("the response is left to the next process");
        self.tries.hand_over.arrange();
        self.children.stop_reader();
        self.tries.lost = None;
        self.registry.do_send(RunFact::HandedOver(self.plan.id));
        ctx.stop();
        true
    }

    /// Whether no provider was asked yet, and none is about to be.
    pub(super) fn waits_in_line(&self) -> bool {
        matches!(self.transcript.recovery(), Recovery::Run)
    }
}
