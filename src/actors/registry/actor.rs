//! The actor.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::{oneshot, watch};
use tracing::{Instrument, Span};

use super::{
    CancelResponse, DeleteResponse, Drain, JoinResponse, StartResponse,
    lookup::{Found, ending, find},
    recovery::recover,
    settle::{Reason, settle},
};
use crate::actors::{
    client_emitter::{ClientEmitter, EmitterFact, ReaderId, Source},
    journal_writer::Written,
    node::Node,
    reader::{Outcome, Phase, Seat, Wish},
    response_supervisor::{
        AdmitError, CancelRefusal, CancelRun, JoinRun, ReadRefusal, ResponseSupervisor, RunFact, Start, StopRun,
        TakeTurn,
    },
    supervision::{Beat, Child, Exit, Label, Ping, Role, spawn_on},
};
use crate::domain::BackgroundLine;
use crate::protocol::{ResponseId, Status, UserId};
use crate::store::{Entry, ResponseRow};

/// Knows the running responses of a node: starts their supervisors, finds them for commands, settles what
/// they leave behind, and serves clients of responses that have ended.
///
/// In: the commands of this module. Out: their replies. Ends: never by itself; its successor settles all
/// that ran under it.
pub(crate) struct ResponseRegistry {
    node: Arc<Node>,
    epoch: i64,
    running: HashMap<ResponseId, Child<ResponseSupervisor>>,
    /// Those whose supervisor failed under this registry and that have no ending yet. What else is without an
    /// ending was left behind by an earlier epoch, also when the recovery has claimed it already.
    orphans: HashSet<ResponseId>,
    /// Whose turn it is among the background responses.
    line: BackgroundLine,
    replays: HashMap<ReaderId, (Child<ClientEmitter>, Arc<watch::Sender<Phase>>)>,
    next_replay: ReaderId,
    draining: bool,
    drained: Vec<oneshot::Sender<()>>,
}

/// A supervisor ended. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct SupervisorExited {
    id: ResponseId,
    exit: Exit,
}

/// An emitter of a response that has ended is done. Sent by supervision.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct ReplayExited {
    reader: ReaderId,
}

impl ResponseRegistry {
    pub(crate) fn new(node: Arc<Node>, epoch: i64) -> Self {
        Self {
            line: BackgroundLine::new(node.settings.background),
            node,
            epoch,
            running: HashMap::new(),
            orphans: HashSet::new(),
            replays: HashMap::new(),
            next_replay: 0,
            draining: false,
            drained: Vec::new(),
        }
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let most = self.node.settings.missed_beats;
        let missed = |beat| match beat {
            Beat::Alive => false,
            Beat::Missed(missed) => missed >= most,
        };
        let beats = self.running.iter_mut().map(|(id, child)| (*id, child.beat()));
        let hung: Vec<_> = beats.filter_map(|(id, beat)| missed(beat).then_some(id)).collect();
        for id in hung {
            // Not waited for: where the whole arbiter hangs no notice comes.
            self.supervisor_failed(id, &Exit::Hung, ctx);
        }
        for (child, _) in self.replays.values_mut() {
            if missed(child.beat()) {
                child.kill(Exit::Hung);
            }
        }
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }

    fn supervisor_failed(&mut self, id: ResponseId, exit: &Exit, ctx: &mut Context<Self>) {
        let Some(child) = self.running.remove(&id) else { return };
        child.kill(exit.clone());
        self.turn_over(id);
        tracing::error!(response.id = %id, child = %Role::ResponseSupervisor, exit = ?exit, "a supervisor failed");
        self.orphans.insert(id);
        let settled = settle(Arc::clone(&self.node), self.epoch, id, Reason::SupervisorFailed);
        ctx.spawn(settled.into_actor(self).map(move |(), registry, _| {
            registry.orphans.remove(&id);
            registry.report_drained();
        }));
    }

    /// A background response has had its turn, or will have none.
    fn turn_over(&mut self, id: ResponseId) {
        self.line.leave(id);
        self.give_turns();
    }

    fn give_turns(&mut self) {
        while let Some(id) = self.line.begin_next() {
            if let Some(child) = self.running.get(&id) {
                child.addr().do_send(TakeTurn);
            }
        }
    }

    fn report_drained(&mut self) {
        if self.running.is_empty() && self.orphans.is_empty() {
            for reply in self.drained.drain(..) {
                let _left = reply.send(());
            }
        }
    }

    /// Serves a client of a response that is not running here.
    fn replay(&mut self, id: ResponseId, found: Result<Found, ReadRefusal>, join: Replay, ctx: &Context<Self>) {
        let Replay { seat: Seat { phase, sink, wish }, span, reply } = join;
        let answer = found.and_then(|Found { log, .. }| {
            let Wish::Events { view, from } = wish else { return Ok(()) };
            let arbiter = self.node.arbiters.of(id).ok_or(ReadRefusal::Failed)?;
            let reader = self.next_replay;
            self.next_replay += 1;
            let (parent, registry) = (ctx.address().recipient(), ctx.address());
            let outlet = (sink, self.node.settings.client_stall_timeout);
            let build = move |_: &mut Context<_>| {
                let source = Source { id, board: None, log: Some(log) };
                ClientEmitter::new(reader, source, (view, from), outlet, parent)
            };
            let label = (Label::of(Role::ClientEmitter, id), span);
            let exit = move |_| registry.do_send(ReplayExited { reader });
            let child = spawn_on(arbiter, &self.node.roster, label, build, exit);
            phase.send_replace(Phase::Opened);
            self.replays.insert(reader, (child, phase));
            Ok(())
        });
        let _left = reply.send(answer);
    }
}

/// A client of a response that has ended.
struct Replay {
    seat: Seat,
    span: Span,
    reply: oneshot::Sender<Result<(), ReadRefusal>>,
}

impl Actor for ResponseRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(recover(Arc::clone(&self.node), self.epoch).into_actor(self));
        ctx.run_later(self.node.settings.heartbeat, Self::beat);
    }
}

impl Handler<StartResponse> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, start: StartResponse, ctx: &mut Self::Context) {
        let StartResponse { plan, key, place, seat, reply } = start;
        let (id, request_id) = (plan.id, plan.request_id.clone());
        let arbiter = self.node.arbiters.of(id).filter(|_| !self.draining);
        let Some(arbiter) = arbiter else {
            let _left = reply.send(Err(AdmitError::Draining));
            return;
        };
        if self.running.contains_key(&id) {
            let _left = reply.send(Err(AdmitError::Failed));
            return;
        }
        let background = plan.request.background;
        if background && !self.line.join(id, plan.user) {
            let _left = reply.send(Err(AdmitError::QueueFull));
            return;
        }
        let (node, registry, epoch) = (Arc::clone(&self.node), ctx.address(), self.epoch);
        let start = Start { node, epoch, plan, key, place, seat, reply, registry: registry.clone().recipient() };
        let span = tracing::info_span!("response", response.id = %id, request_id);
        let label = Label::of(Role::ResponseSupervisor, id);
        let exit = move |exit| registry.do_send(SupervisorExited { id, exit });
        let build = move |_: &mut Context<_>| ResponseSupervisor::new(start);
        let child = spawn_on(arbiter, &self.node.roster, (label, span), build, exit);
        self.running.insert(id, child);
        if background {
            self.give_turns();
        }
    }
}

impl Handler<JoinResponse> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, join: JoinResponse, ctx: &mut Self::Context) {
        let JoinResponse { user, id, returning, seat, span, reply } = join;
        if let Some(child) = self.running.get(&id) {
            return child.addr().do_send(JoinRun { user, returning, seat, reply });
        }
        let reason = if self.orphans.contains(&id) { Reason::SupervisorFailed } else { Reason::NodeLost };
        let node = Arc::clone(&self.node);
        let ended = find_ended(node, (self.epoch, reason), user, id, (seat.wish, Arc::clone(&seat.phase)));
        let ended = ended.instrument(span.clone());
        let join = Replay { seat, span, reply };
        ctx.spawn(ended.into_actor(self).map(move |found, registry, ctx| registry.replay(id, found, join, ctx)));
    }
}

/// A stored response that has ended; one that lost its supervisor is settled first. A client that only wants
/// the ending is told it.
async fn find_ended(
    node: Arc<Node>,
    (epoch, reason): (i64, Reason),
    user: UserId,
    id: ResponseId,
    (wish, phase): (Wish, Arc<watch::Sender<Phase>>),
) -> Result<Found, ReadRefusal> {
    let found = find(&node, user, id).await?;
    if !found.row.status.is_terminal() {
        settle_now(&node, epoch, &found.row, reason).await?;
    }
    if wish == Wish::Ending {
        phase.send_replace(Phase::Ended(ending(&node, user, id).await?));
    }
    Ok(found)
}

/// Settles a response that somebody waits for. One that another node owns is left to it.
async fn settle_now(node: &Arc<Node>, epoch: i64, row: &ResponseRow, reason: Reason) -> Result<(), ReadRefusal> {
    if row.node != node.name {
        return Err(ReadRefusal::Unavailable);
    }
    let settled = settle(Arc::clone(node), epoch, row.id, reason);
    tokio::time::timeout(node.settings.admission_patience, settled).await.map_err(|_| ReadRefusal::Unavailable)
}

impl Handler<CancelResponse> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, cancel: CancelResponse, ctx: &mut Self::Context) {
        let CancelResponse { user, id, span, reply } = cancel;
        if let Some(child) = self.running.get(&id) {
            return child.addr().do_send(CancelRun { user, stored_only: false, reply });
        }
        let answer = cancel_ended(Arc::clone(&self.node), self.epoch, user, id).instrument(span);
        ctx.spawn(answer.into_actor(self).map(|answer, _, _| {
            let _left = reply.send(answer);
        }));
    }
}

async fn cancel_ended(
    node: Arc<Node>,
    epoch: i64,
    user: UserId,
    id: ResponseId,
) -> Result<Arc<Outcome>, CancelRefusal> {
    let refuse = |refusal| match refusal {
        ReadRefusal::NotFound => CancelRefusal::NotFound,
        ReadRefusal::Unavailable => CancelRefusal::Unavailable,
        ReadRefusal::Failed => CancelRefusal::Failed,
    };
    let found = find(&node, user, id).await.map_err(refuse)?;
    if !found.row.status.is_terminal() {
        settle_now(&node, epoch, &found.row, Reason::Cancelled).await.map_err(refuse)?;
    }
    let outcome = ending(&node, user, id).await.map_err(refuse)?;
    if outcome.status == Status::Cancelled { Ok(outcome) } else { Err(CancelRefusal::AlreadyEnded(outcome.status)) }
}

impl Handler<DeleteResponse> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, delete_response: DeleteResponse, ctx: &mut Self::Context) {
        let DeleteResponse { user, id, span, reply } = delete_response;
        let (tell, cancelled) = oneshot::channel();
        if let Some(child) = self.running.get(&id) {
            child.addr().do_send(CancelRun { user, stored_only: true, reply: tell });
        }
        let answer = delete(Arc::clone(&self.node), self.epoch, user, id, cancelled).instrument(span);
        ctx.spawn(answer.into_actor(self).map(|answer, _, _| {
            let _left = reply.send(answer);
        }));
    }
}

async fn delete(
    node: Arc<Node>,
    epoch: i64,
    user: UserId,
    id: ResponseId,
    cancelled: oneshot::Receiver<Result<Arc<Outcome>, CancelRefusal>>,
) -> Result<(), ReadRefusal> {
    // Not running here, or its supervisor just failed: then the row says more.
    if let Ok(Err(CancelRefusal::Unavailable)) = cancelled.await {
        return Err(ReadRefusal::Unavailable);
    }
    let found = find(&node, user, id).await?;
    if !found.row.status.is_terminal() {
        settle_now(&node, epoch, &found.row, Reason::Cancelled).await?;
    }
    match node.journal.write(Entry::Delete(id)).await {
        Written::Committed => Ok(()),
        Written::Conflict(_) | Written::Failed => Err(ReadRefusal::Failed),
    }
}

impl Handler<Drain> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, Drain { now, reply }: Drain, _: &mut Self::Context) {
        self.draining = true;
        if now {
            self.running.values().for_each(|child| child.addr().do_send(StopRun));
        }
        self.drained.push(reply);
        self.report_drained();
    }
}

impl Handler<RunFact> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, fact: RunFact, _: &mut Self::Context) {
        match fact {
            RunFact::TurnOver(id) => self.turn_over(id),
            RunFact::Concluded(id) => {
                self.running.remove(&id);
                self.report_drained();
            }
        }
    }
}

impl Handler<SupervisorExited> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, SupervisorExited { id, exit }: SupervisorExited, ctx: &mut Self::Context) {
        self.supervisor_failed(id, &exit, ctx);
    }
}

impl Handler<ReplayExited> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, ReplayExited { reader }: ReplayExited, _: &mut Self::Context) {
        self.replays.remove(&reader);
    }
}

impl Handler<EmitterFact> for ResponseRegistry {
    type Result = ();

    // How the emitter of an ended response did changes nothing: its exit says that it is done.
    fn handle(&mut self, _: EmitterFact, _: &mut Self::Context) {}
}

impl Handler<Ping> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}
