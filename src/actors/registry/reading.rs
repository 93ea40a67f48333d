//! Serving clients of responses that are not running here.

use std::{collections::HashMap, future::Future, sync::Arc};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::{oneshot, watch};
use tracing::{Instrument, Span};

use super::{
    Join, ResponseRegistry,
    lookup::{AtRest, Found, find_at_rest, load_outcome},
};
use crate::actors::{
    ActorRole, Label,
    client_emitter::{ClientEmitter, ClientId, EmitterClient, EmitterFact, FrameSource, Past},
    client_stream::{ClientSink, DeliveryMode, ResponsePhase},
    node::Node,
    response_supervisor::JoinRun,
    supervision::{ActorIdentity, Child, spawn_on},
};
use crate::domain::SettleReason;
use crate::protocol::{ResponseId, UserId};
use crate::refusal::Refusal;

/// The emitters of responses that have ended.
#[derive(Debug, Default)]
pub(super) struct Replays {
    emitters: HashMap<ClientId, (Child<ClientEmitter>, Arc<watch::Sender<ResponsePhase>>)>,
    next: ClientId,
}

impl Replays {
    /// Sends a heartbeat to each emitter, and kills those that missed too many.
    pub(super) fn beat(&mut self, missed_beats: u32) {
        for (child, _) in self.emitters.values_mut() {
            let _killed_if_hung = child.beat(missed_beats);
        }
    }
}

/// An emitter of a response that has ended has stopped. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct ReplayExited {
    client: ClientId,
}

/// A client of a response that has ended.
struct ReplayClient {
    client: ClientSink,
    span: Span,
    reply: oneshot::Sender<Result<(), Refusal>>,
}

/// A client of a response that may have ended, and what it wants of it.
struct EndingClient {
    user: UserId,
    id: ResponseId,
    mode: DeliveryMode,
    phase: Arc<watch::Sender<ResponsePhase>>,
}

impl Handler<Join> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, join: Join, ctx: &mut Self::Context) {
        let Join { user, id, returning, client, span, reply } = join;
        if let Some(child) = self.running.get(&id) {
            return child.addr().do_send(JoinRun { user, returning, client, reply });
        }
        let ended = find_at_rest(Arc::clone(&self.node), ctx.address(), user, id, SettleReason::NodeLost);
        let waiting = EndingClient { user, id, mode: client.mode, phase: Arc::clone(&client.phase) };
        let told = tell_ending(Arc::clone(&self.node), ended, waiting).instrument(span.clone());
        let join = ReplayClient { client, span, reply };
        ctx.spawn(told.into_actor(self).map(move |found, registry, ctx| match found {
            Ok(AtRest::Ended(found)) => registry.replay(id, Ok(*found), join, ctx),
            Ok(AtRest::Running) => {
                let ReplayClient { client, span, reply } = join;
                registry.handle(Join { user, id, returning, client, span, reply }, ctx);
            }
            Err(refusal) => registry.replay(id, Err(refusal), join, ctx),
        }));
    }
}

/// Sends the ending to a client that only wants that.
async fn tell_ending(
    node: Arc<Node>,
    at_rest: impl Future<Output = Result<AtRest, Refusal>>,
    EndingClient { user, id, mode, phase }: EndingClient,
) -> Result<AtRest, Refusal> {
    let at_rest = at_rest.await?;
    if mode == DeliveryMode::Ending && matches!(at_rest, AtRest::Ended(_)) {
        phase.send_replace(ResponsePhase::Ended(load_outcome(&node, user, id).await?));
    }
    Ok(at_rest)
}

impl ResponseRegistry {
    /// Serves a client of a response that is not running here.
    fn replay(&mut self, id: ResponseId, found: Result<Found, Refusal>, join: ReplayClient, ctx: &Context<Self>) {
        let ReplayClient { client: ClientSink { phase, sink, mode, .. }, span, reply } = join;
        let answer = found.and_then(|Found { log, .. }| {
            let DeliveryMode::Events { view, from } = mode else { return Ok(()) };
            let arbiter = self.node.arbiters.of(id).ok_or(Refusal::NotResponding)?;
            let client_id = self.replays.next;
            self.replays.next += 1;
            let (parent, registry) = (ctx.address().recipient(), ctx.address());
            let stall_timeout = self.node.settings.client_stall_timeout;
            let client = EmitterClient { id: client_id, view, from, sink, stall_timeout };
            let build = move |_: &mut Context<_>| {
                let source = FrameSource { id, frame_buffer: None, past: Some(Past::Log(log)) };
                ClientEmitter::new(client, source, parent)
            };
            let identity = ActorIdentity { label: Label::of(ActorRole::ClientEmitter, id), span };
            let exit = move |_| registry.do_send(ReplayExited { client: client_id });
            let child = spawn_on(arbiter, &self.node.roster, identity, build, exit);
            phase.send_replace(ResponsePhase::Opened);
            self.replays.emitters.insert(client_id, (child, phase));
            Ok(())
        });
        let _left = reply.send(answer);
    }
}

impl Handler<ReplayExited> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, ReplayExited { client }: ReplayExited, _: &mut Self::Context) {
        self.replays.emitters.remove(&client);
    }
}

impl Handler<EmitterFact> for ResponseRegistry {
    type Result = ();

    // Nothing depends on how an emitter of an ended response finished: its exit is enough.
    fn handle(&mut self, _: EmitterFact, _: &mut Self::Context) {}
}
