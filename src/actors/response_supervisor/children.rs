//! The children: how they are started, and what follows when they end.

use std::{rc::Rc, sync::Arc};

use actix::{ActorContext, AsyncContext, Context, Handler, Message};
use futures_util::StreamExt;
use tokio::time::Instant;

use super::{ResponseSupervisor, supervisor::Stage};
use crate::actors::{
    Label, Role,
    client_emitter::ClientId,
    persistence_accumulator::{PersistenceAccumulator, Retry, Work},
    provider_reader::{Grant, ProviderReader},
    supervision::{Child, Exit, Restart, spawn},
};
use crate::domain::{Attempt, Cause, Fact, RunPlan, Target};
use crate::provider::{HandOver, Permit, Provider, ProviderRequest};

/// The children that a response has one of.
#[derive(Debug, Default)]
pub(super) struct Children {
    reader: Option<Child<ProviderReader>>,
    accumulator: Option<Child<PersistenceAccumulator>>,
}

/// Which child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Reader(Attempt),
    Accumulator,
    Emitter(ClientId),
}

/// A child ended. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct ChildExited {
    pub(super) who: Who,
    pub(super) exit: Exit,
}

impl Children {
    pub(super) fn beat(&mut self, missed_beats: u32) {
        let _reader = self.reader.as_mut().map(|child| child.beat(missed_beats));
        let _accumulator = self.accumulator.as_mut().map(|child| child.beat(missed_beats));
    }

    /// Closes the provider's socket.
    pub(super) fn stop_reader(&mut self) {
        self.reader = None;
    }

    pub(super) fn grant(&self, bytes: usize) {
        if let Some(reader) = &self.reader {
            reader.addr().do_send(Grant(bytes));
        }
    }

    pub(super) fn wake_accumulator(&self) {
        if let Some(accumulator) = &self.accumulator {
            accumulator.addr().do_send(Work);
        }
    }

    pub(super) fn retry(&self) {
        if let Some(accumulator) = &self.accumulator {
            accumulator.addr().do_send(Retry);
        }
    }
}

impl ResponseSupervisor {
    pub(super) fn start_accumulator(&mut self, ctx: &mut Context<Self>) {
        let (write_buffer, journal) = (Rc::clone(&self.write_buffer), self.node.journal.clone());
        let parent = ctx.address().recipient();
        let label = Label::of(Role::PersistenceAccumulator, self.plan.id);
        let build = move |_: &mut Context<_>| PersistenceAccumulator::new(write_buffer, journal, parent);
        let child = spawn(&self.node.roster, label, build, exit_to(ctx, Who::Accumulator));
        self.children.accumulator = Some(child);
    }

    /// Asks the provider, or listens again to its call of that id. The attempt's opening is durable by now.
    pub(super) fn start_reader(
        &mut self,
        provider: &Arc<dyn Provider>,
        (attempt, lost_id): (Attempt, Option<String>),
        permit: Arc<Permit>,
        ctx: &mut Context<Self>,
    ) {
        self.tries.hand_over = HandOver::default();
        let (request, provider) = (self.provider_request(), Arc::clone(provider));
        let (credit, parent) = (self.node.settings.credit_bytes, ctx.address().recipient());
        let label = Label::of(Role::ProviderReader, self.plan.id);
        let build = move |_: &mut Context<_>| {
            // The place goes with the socket: the stream is dropped first.
            let said = match lost_id {
                None => provider.open(request),
                Some(id) => provider.reattach(request, id),
            };
            let batches = said.inspect(move |_| {
                let _held = &permit;
            });
            ProviderReader::new(attempt, batches.boxed_local(), credit, parent)
        };
        let child = spawn(&self.node.roster, label, build, exit_to(ctx, Who::Reader(attempt)));
        self.children.reader = Some(child);
    }

    pub(super) fn provider_request(&self) -> ProviderRequest {
        let RunPlan { request_id, request, prompt, .. } = &self.plan;
        ProviderRequest {
            request_id: request_id.clone(),
            request: Arc::clone(request),
            prompt: Arc::clone(prompt),
            target: self.target().cloned().unwrap_or_else(|| Target::new("", "")),
            hand_over: self.tries.hand_over.clone(),
        }
    }

    pub(super) fn fail(&mut self, cause: Cause, ctx: &mut Context<Self>) {
        let at = self.node.clock.now();
        self.finish([Fact::ServerFailed { at, cause }], ctx);
    }

    fn reader_exited(&mut self, attempt: Attempt, exit: &Exit, ctx: &mut Context<Self>) {
        if self.tries.reading() != Some(attempt) || !self.is_undecided() {
            return;
        }
        tracing::error!(child = %Role::ProviderReader, exit = %exit, "a child ended before its work was done");
        self.attempt_failed(Cause::InternalError, None, ctx);
    }

    fn accumulator_exited(&mut self, exit: &Exit, ctx: &mut Context<Self>) {
        if matches!(self.stage, Stage::Over(_)) {
            return;
        }
        tracing::error!(child = %Role::PersistenceAccumulator, exit = %exit, "a child ended before its work was done");
        match self.restarts.spend(Instant::now()) {
            Restart::Again => self.start_accumulator(ctx),
            // Without an accumulator this actor can't end the response; the registry can.
            Restart::GiveUp => ctx.stop(),
        }
    }
}

/// Tells the supervisor of a child's ending, after all that the child had sent.
pub(super) fn exit_to(ctx: &Context<ResponseSupervisor>, who: Who) -> impl FnOnce(Exit) + Send + 'static {
    let supervisor = ctx.address();
    move |exit| supervisor.do_send(ChildExited { who, exit })
}

impl Handler<ChildExited> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, ChildExited { who, exit }: ChildExited, ctx: &mut Self::Context) {
        match who {
            Who::Reader(attempt) => self.reader_exited(attempt, &exit, ctx),
            Who::Accumulator => self.accumulator_exited(&exit, ctx),
            Who::Emitter(reader) => self.emitter_exited(reader, ctx),
        }
    }
}
