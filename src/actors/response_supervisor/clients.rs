//! The clients of a response: their connections and emitters.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tokio::sync::watch;

use super::{
    ResponseSupervisor,
    supervisor::{SupervisedChild, exit_to},
};
use crate::actors::{
    ActorRole, Label,
    client_emitter::{ClientEmitter, Committed, EmitterClient, EmitterFact, FrameSource},
    client_stream::{ClientSink, DeliveryMode, ResponsePhase},
    supervision::{Child, spawn},
};
use crate::domain::{ClientEvent, ClientId, ClientNeed, RunEvent, RunPhase};

/// The clients of a response.
#[derive(Debug, Default)]
pub(super) struct Clients {
    next: ClientId,
    connections: BTreeMap<ClientId, ClientConnection>,
}

#[derive(Debug)]
struct ClientConnection {
    phase: Arc<watch::Sender<ResponsePhase>>,
    /// The client's emitter; none if the client only waits for the ending, or its emitter has ended.
    emitter: Option<Child<ClientEmitter>>,
}

impl Clients {
    pub(super) fn beat(&mut self, missed_beats: u32) {
        for emitter in self.connections.values_mut().filter_map(|client| client.emitter.as_mut()) {
            let _killed_if_hung = emitter.beat(missed_beats);
        }
    }

    /// Wakes the emitters: there is more to emit.
    pub(super) fn nudge(&self) {
        for emitter in self.connections.values().filter_map(|client| client.emitter.as_ref()) {
            emitter.addr().do_send(Committed);
        }
    }

    pub(super) fn announce(&self, phase: &ResponsePhase) {
        for client in self.connections.values() {
            client.phase.send_replace(phase.clone());
        }
    }

    pub(super) fn announce_opened(&self) {
        for client in self.connections.values() {
            client.phase.send_if_modified(|phase| {
                let opening = matches!(phase, ResponsePhase::Opening);
                if opening {
                    *phase = ResponsePhase::Opened;
                }
                opening
            });
        }
    }
}

impl ResponseSupervisor {
    /// Serves a client from now on.
    pub(super) fn join_client(&mut self, client: ClientSink, ctx: &mut Context<Self>) {
        let id = self.clients.next;
        self.clients.next += 1;
        let ClientSink { phase, sink, mode, success_promise } = client;
        success_promise.join(&self.promise);
        phase.send_replace(self.phase());
        let (emitter, need) = match mode {
            DeliveryMode::Ending => (None, ClientNeed::Ending),
            DeliveryMode::Events { view, from } => {
                let frame_buffer = Rc::clone(&self.commits.frame_buffer);
                frame_buffer.borrow_mut().advance(id, from);
                let past = self.commits.past.clone();
                let source = FrameSource { id: self.plan.id, frame_buffer: Some(frame_buffer), past };
                let stall_timeout = self.node.settings.client_stall_timeout;
                let client = EmitterClient { id, view, from, sink, stall_timeout };
                let parent = ctx.address().recipient();
                let label = Label::of(ActorRole::ClientEmitter, self.plan.id);
                let build = move |_: &mut Context<_>| ClientEmitter::new(client, source, parent);
                let exit = exit_to(ctx, SupervisedChild::Emitter(id));
                (Some(spawn(&self.node.roster, label, build, exit)), ClientNeed::Events)
            }
        };
        let gone = Arc::clone(&phase);
        let gone = async move { gone.closed().await };
        ctx.spawn(gone.into_actor(self).map(move |(), supervisor, ctx| supervisor.client_left(id, ctx)));
        self.clients.connections.insert(id, ClientConnection { phase, emitter });
        self.feed(RunEvent::Client { client: id, event: ClientEvent::Joined(need) }, ctx);
    }

    fn phase(&self) -> ResponsePhase {
        match (self.run.phase(), &self.outcome) {
            (RunPhase::Ended, Some(outcome)) => ResponsePhase::Ended(Arc::clone(outcome)),
            (RunPhase::Unavailable, _) => ResponsePhase::Unavailable,
            (RunPhase::Opened | RunPhase::Ended, _) => ResponsePhase::Opened,
            (RunPhase::Opening, _) => ResponsePhase::Opening,
        }
    }

    /// Removes a client that left or was disconnected.
    fn client_left(&mut self, client: ClientId, ctx: &mut Context<Self>) {
        if self.clients.connections.remove(&client).is_none() {
            return;
        }
        self.commits.frame_buffer.borrow_mut().leave(client);
        self.give_credit();
        self.feed(RunEvent::Client { client, event: ClientEvent::Left }, ctx);
    }

    /// Removes an emitter that ended. If the client is still connected it subscribes again.
    pub(super) fn emitter_exited(&mut self, client: ClientId, ctx: &mut Context<Self>) {
        if let Some(connection) = self.clients.connections.get_mut(&client) {
            connection.emitter = None;
        }
        self.feed(RunEvent::Client { client, event: ClientEvent::EmitterEnded }, ctx);
    }

    /// Returns the credit that is due to the provider's reader.
    pub(super) fn give_credit(&mut self) {
        let bytes = self.commits.due_credit();
        self.provider.grant(bytes);
    }
}

impl Handler<EmitterFact> for ResponseSupervisor {
    type Result = ();

    fn handle(&mut self, fact: EmitterFact, ctx: &mut Self::Context) {
        match fact {
            EmitterFact::Finished { client } => {
                self.feed(RunEvent::Client { client, event: ClientEvent::Served }, ctx);
            }
            EmitterFact::Stalled { client } => {
                tracing::info!("a client that took nothing for too long was cut");
                self.client_left(client, ctx);
            }
            EmitterFact::Drained => self.give_credit(),
        }
    }
}
