//! The clients of a response, and what follows when the last one leaves.

use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tokio::sync::watch;

use super::{
    ResponseSupervisor,
    children::{Who, exit_to},
    supervisor::Stage,
};
use crate::actors::{
    Label, Role,
    client_emitter::{ClientEmitter, ClientId, Committed, EmitterFact, Source},
    client_stream::{ClientSink, DeliveryMode, ResponsePhase},
    supervision::{Child, spawn},
};
use crate::domain::{DisconnectPolicy, Fact};

/// The clients of a response.
#[derive(Debug, Default)]
pub(super) struct Clients {
    next: ClientId,
    clients: BTreeMap<ClientId, Taken>,
}

#[derive(Debug)]
struct Taken {
    phase: Arc<watch::Sender<ResponsePhase>>,
    /// None if the client only waits for the ending, or its emitter has ended.
    emitter: Option<Child<ClientEmitter>>,
    wants_events: bool,
}

impl Clients {
    pub(super) fn beat(&mut self, missed_beats: u32) {
        for emitter in self.clients.values_mut().filter_map(|client| client.emitter.as_mut()) {
            let _killed_if_hung = emitter.beat(missed_beats);
        }
    }

    /// There is more to emit.
    pub(super) fn nudge(&self) {
        for emitter in self.clients.values().filter_map(|client| client.emitter.as_ref()) {
            emitter.addr().do_send(Committed);
        }
    }

    pub(super) fn announce(&self, phase: &ResponsePhase) {
        for client in self.clients.values() {
            client.phase.send_replace(phase.clone());
        }
    }

    pub(super) fn announce_opened(&self, opened: bool) {
        for client in self.clients.values().filter(|_| opened) {
            client.phase.send_if_modified(|phase| {
                let opening = matches!(phase, ResponsePhase::Opening);
                if opening {
                    *phase = ResponsePhase::Opened;
                }
                opening
            });
        }
    }

    /// Whether no client needs this response's supervisor any more. A client whose emitter failed can read
    /// the log of a stored response; of another one only the frame buffer has the events.
    pub(super) fn are_served(&self, stored: bool) -> bool {
        self.clients.values().all(|client| client.emitter.is_none() && (stored || !client.wants_events))
    }
}

impl ResponseSupervisor {
    /// A client takes its client.
    pub(super) fn client(&mut self, client: ClientSink, ctx: &mut Context<Self>) {
        let reader = self.readers.next;
        self.readers.next += 1;
        let ClientSink { phase, sink, mode, success_promise } = client;
        success_promise.join(&self.success_promise);
        phase.send_replace(self.phase());
        let emitter = match mode {
            DeliveryMode::Ending => None,
            DeliveryMode::Events { view, from } => {
                self.frame_buffer.borrow_mut().advance(reader, from);
                let source = Source {
                    id: self.plan.id,
                    frame_buffer: Some(Rc::clone(&self.frame_buffer)),
                    past: self.past.clone(),
                };
                let outlet = (sink, self.node.settings.client_stall_timeout);
                let parent = ctx.address().recipient();
                let label = Label::of(Role::ClientEmitter, self.plan.id);
                let build = move |_: &mut Context<_>| ClientEmitter::new(reader, source, (view, from), outlet, parent);
                Some(spawn(&self.node.roster, label, build, exit_to(ctx, Who::Emitter(reader))))
            }
        };
        let gone = Arc::clone(&phase);
        let gone = async move { gone.closed().await };
        ctx.spawn(gone.into_actor(self).map(move |(), supervisor, ctx| supervisor.reader_left(reader, ctx)));
        let wants_events = emitter.is_some();
        self.readers.clients.insert(reader, Taken { phase, emitter, wants_events });
    }

    fn phase(&self) -> ResponsePhase {
        match &self.stage {
            Stage::Over(outcome) => ResponsePhase::Ended(Arc::clone(outcome)),
            Stage::Admitting(_) | Stage::Running | Stage::Settling if self.frame_buffer.borrow().unavailable => {
                ResponsePhase::Unavailable
            }
            Stage::Admitting(_) | Stage::Running | Stage::Settling if self.opened => ResponsePhase::Opened,
            Stage::Admitting(_) | Stage::Running | Stage::Settling => ResponsePhase::Opening,
        }
    }

    /// A client is gone, or was cut.
    fn reader_left(&mut self, reader: ClientId, ctx: &mut Context<Self>) {
        if self.readers.clients.remove(&reader).is_none() {
            return;
        }
        self.frame_buffer.borrow_mut().leave(reader);
        self.give_credit();
        if self.readers.clients.is_empty() && self.is_undecided() && !self.plan.request.background {
            self.last_reader_left(ctx);
        }
        self.leave_when_done(ctx);
    }

    pub(super) fn last_reader_left(&mut self, ctx: &mut Context<Self>) {
        // It can come back to a response that can be read, if it has learned its id or has a key.
        let knows_it = self.stored_facts > 0 || self.plan.idempotency.is_some();
        let can_come_back = self.is_stored() && self.plan.resumable && knows_it;
        match self.plan.disconnect {
            DisconnectPolicy::Continue => {}
            DisconnectPolicy::Grace(grace) if can_come_back => self.wait_for_a_reader(grace, ctx),
            DisconnectPolicy::Grace(_) | DisconnectPolicy::Cancel => self.lose_client(ctx),
        }
    }

    fn wait_for_a_reader(&self, grace: Duration, ctx: &mut Context<Self>) {
        let last = self.readers.next;
        ctx.run_later(grace, move |supervisor, ctx| {
            let nobody_came = supervisor.readers.next == last && supervisor.readers.clients.is_empty();
            if nobody_came && supervisor.is_undecided() {
                supervisor.lose_client(ctx);
            }
        });
    }

    fn lose_client(&mut self, ctx: &mut Context<Self>) {
        let at = self.node.clock.now();
        self.finish([Fact::ClientLost { at }], ctx);
    }

    /// An emitter ended. If the client is still there its connection subscribes again.
    pub(super) fn emitter_exited(&mut self, reader: ClientId, ctx: &mut Context<Self>) {
        if let Some(client) = self.readers.clients.get_mut(&reader) {
            client.emitter = None;
        }
        self.leave_when_done(ctx);
    }
}

impl Handler<EmitterFact> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, fact: EmitterFact, ctx: &mut Self::Context) {
        match fact {
            EmitterFact::Finished { reader } => {
                if let Some(client) = self.readers.clients.get_mut(&reader) {
                    client.wants_events = false;
                }
            }
            EmitterFact::Stalled { reader } => {
                tracing::info!("a client that took nothing for too long was cut");
                self.reader_left(reader, ctx);
            }
            EmitterFact::Drained => self.give_credit(),
        }
    }
}
