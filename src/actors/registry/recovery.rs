//! Recovering responses whose owner is gone: which one is tried when, and what becomes of it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    ResponseRegistry,
    recovered::{Recovered, RecoveryError, ResumableRun},
    recoverer::Recoverer,
};
use crate::actors::{node::Node, node_ownership::renewal_interval};
use crate::domain::{
    LeaseState, LeftBehind, OwnershipDecision, RecoveryQueue, RecoveryTry, RecoveryWish, SetAsideReason, SettleReason,
};
use crate::fault::{self, FaultPoint};
use crate::protocol::ResponseId;
use crate::refusal::Refusal;
use crate::store::Error;

/// How many responses one sweep reads.
const BATCH: u32 = 1_000;

/// The interval between two sweeps: what a lost node leaves behind is found that soon after its lease.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

const PAUSE_WHEN_AWAY: Duration = Duration::from_secs(1);

/// Looks, at intervals and without end, for responses that have not ended and whose owner is gone: the last entries
/// of a former owner may become durable after the first look, and other nodes may die at any time.
///
/// Now and then it looks at the responses of the present epoch too: one of them that nobody runs was admitted or resumed
/// by a supervisor that counted as ended. It looks at once when `wanted` says that somebody waits for it.
pub(super) async fn sweep(node: Arc<Node>, epoch: i64, registry: Addr<ResponseRegistry>, wanted: Arc<Notify>) {
    let mut own_looked_at = Instant::now();
    loop {
        let looks_at_own = own_looked_at.elapsed() >= renewal_interval(node.settings.lease);
        if looks_at_own {
            own_looked_at = Instant::now();
        }
        let pause = match left_behind(&node, epoch, looks_at_own).await {
            Ok(None) => PAUSE_WHEN_AWAY,
            Ok(Some((orphans, is_all))) => {
                let (tried, all_tried) = oneshot::channel();
                registry.do_send(OrphansFound { orphans, is_all, tried });
                // More may follow those that were tried, if they were others than the last time.
                let found_new = all_tried.await.is_ok_and(|new| new > 0);
                if found_new && !is_all { Duration::ZERO } else { SWEEP_INTERVAL }
            }
            Err(error) => {
                tracing::warn!(error = %error, "the recovery waits for the database");
                PAUSE_WHEN_AWAY
            }
        };
        let _either = tokio::time::timeout(pause, wanted.notified()).await;
    }
}

/// The responses that this node may recover as far as the database knows, with those of its own epoch if these are looked
/// at, and whether there are no others. None while this node has no lease.
async fn left_behind(node: &Node, epoch: i64, looks_at_own: bool) -> Result<Option<(Vec<LeftBehind>, bool)>, Error> {
    if node.ownership.lease(node.settings.lease) == LeaseState::Missing {
        return Ok(None);
    }
    let mut rows = node.store.responses.orphaned(&node.name, epoch, BATCH).await?;
    let is_all = rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
    rows.retain(|row| node.decide_about(row, RecoveryWish::Node) == OwnershipDecision::Recover);
    let mut orphans: Vec<_> = rows.iter().map(|row| LeftBehind { id: row.id, set_aside: None }).collect();
    if looks_at_own {
        let own = node.store.responses.unended(&node.name, epoch, BATCH).await?;
        orphans.extend(own.into_iter().map(|id| LeftBehind { id, set_aside: None }));
    }
    Ok(Some((orphans, is_all)))
}

/// Waits until a sweep has decided about another node's response, and for the recovery if it is taken over.
///
/// # Errors
/// [`Refusal::OtherOwner`] if it is left to its owner.
pub(super) async fn ask_sweep(registry: &Addr<ResponseRegistry>, id: ResponseId) -> Result<(), Refusal> {
    let (done, decided) = oneshot::channel();
    registry.do_send(AwaitSweep { id, done });
    decided.await.unwrap_or(Err(Refusal::OtherOwner))
}

/// Asks for a sweep, which may take over a response of another node.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct AwaitSweep {
    id: ResponseId,
    done: oneshot::Sender<Result<(), Refusal>>,
}

/// Asks the registry to recover a response whose owner is gone. Returns once it has ended or runs here.
///
/// # Errors
/// [`Refusal::OtherOwner`] if another node owns it, [`Refusal::Draining`] if this node is about to stop.
pub(super) async fn ask(
    registry: &Addr<ResponseRegistry>,
    id: ResponseId,
    reason: SettleReason,
) -> Result<(), Refusal> {
    let (done, recovered) = oneshot::channel();
    registry.do_send(Recover { id, reason, done });
    recovered.await.unwrap_or(Err(Refusal::DatabaseUnavailable))
}

/// Recovers a response whose owner is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Recover {
    id: ResponseId,
    reason: SettleReason,
    done: oneshot::Sender<Result<(), Refusal>>,
}

/// A sweep has found responses whose owner is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct OrphansFound {
    orphans: Vec<LeftBehind>,
    /// Whether there are no others.
    is_all: bool,
    /// Told, once each of them was tried, how many were not known before.
    tried: oneshot::Sender<usize>,
}

type RecoveryWaiters = Vec<oneshot::Sender<Result<(), Refusal>>>;

/// The responses that lost their owner, and who waits for them.
#[derive(Debug)]
pub(super) struct Recoveries {
    queue: RecoveryQueue,
    waiters: HashMap<ResponseId, RecoveryWaiters>,
    sweeps: Vec<(oneshot::Sender<usize>, usize)>,
    /// Who waits for the next sweep's word about a response of another node.
    awaiting_sweep: Vec<(ResponseId, oneshot::Sender<Result<(), Refusal>>)>,
    pub(super) sweep_wanted: Arc<Notify>,
    timer: Option<SpawnHandle>,
    /// The moment since which the queue counts.
    begun: Instant,
}

impl Default for Recoveries {
    fn default() -> Self {
        Self {
            queue: RecoveryQueue::new(),
            waiters: HashMap::new(),
            sweeps: Vec::new(),
            awaiting_sweep: Vec::new(),
            sweep_wanted: Arc::default(),
            timer: None,
            begun: Instant::now(),
        }
    }
}

impl Recoveries {
    /// Whether every response that an earlier process left has been looked at.
    pub(super) fn has_swept(&self) -> bool {
        self.queue.has_swept()
    }

    /// Whether any response of this registry lost its supervisor and may end soon.
    pub(super) fn has_orphans(&self) -> bool {
        self.queue.waits_for_orphans()
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn answer(&mut self, id: ResponseId, answer: &Result<(), Refusal>) {
        for waiter in self.waiters.remove(&id).unwrap_or_default() {
            let _left = waiter.send(answer.clone());
        }
    }

    /// Answers who waited for a sweep: what it took over is waited for, the rest is left to its owner.
    fn answer_awaiting_sweep(&mut self) {
        for (id, done) in std::mem::take(&mut self.awaiting_sweep) {
            if self.queue.contains(id) {
                self.waiters.entry(id).or_default().push(done);
            } else {
                let _left = done.send(Err(Refusal::OtherOwner));
            }
        }
    }

    fn answer_sweeps(&mut self) {
        if self.queue.all_tried() {
            for (tried, new) in self.sweeps.drain(..) {
                let _gone = tried.send(new);
            }
        }
    }
}

impl Handler<Recover> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, Recover { id, reason, done }: Recover, ctx: &mut Self::Context) {
        if self.running.contains_key(&id) {
            let _left = done.send(Ok(()));
        } else if self.draining && !self.recoveries.queue.contains(id) {
            let _left = done.send(Err(Refusal::Draining));
        } else {
            self.recoveries.waiters.entry(id).or_default().push(done);
            self.recover(id, reason, ctx);
        }
    }
}

impl Handler<AwaitSweep> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, AwaitSweep { id, done }: AwaitSweep, _: &mut Self::Context) {
        if self.running.contains_key(&id) {
            let _left = done.send(Ok(()));
            return;
        }
        self.recoveries.awaiting_sweep.push((id, done));
        self.recoveries.sweep_wanted.notify_one();
    }
}

impl Handler<OrphansFound> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, OrphansFound { mut orphans, is_all, tried }: OrphansFound, ctx: &mut Self::Context) {
        orphans.retain(|orphan| !self.draining && !self.running.contains_key(&orphan.id));
        let new = self.recoveries.queue.found(&orphans, is_all, self.recoveries.now());
        self.recoveries.sweeps.push((tried, new));
        self.recoveries.answer_awaiting_sweep();
        self.go_on_recovering(ctx);
    }
}

impl ResponseRegistry {
    /// Recovers a response: ends it, or resumes it here.
    pub(super) fn recover(&mut self, id: ResponseId, reason: SettleReason, ctx: &mut Context<Self>) {
        self.recoveries.queue.add(id, reason, self.recoveries.now());
        self.go_on_recovering(ctx);
    }

    /// Tries the responses that are due, and comes back when the next one is.
    fn go_on_recovering(&mut self, ctx: &mut Context<Self>) {
        while let Some(next) = self.recoveries.queue.next_try(self.recoveries.now()) {
            self.try_to_recover(next, ctx);
        }
        if let Some(timer) = self.recoveries.timer.take() {
            ctx.cancel_future(timer);
        }
        if let Some(due) = self.recoveries.queue.wakes_at() {
            let after = due.saturating_sub(self.recoveries.now());
            self.recoveries.timer = Some(ctx.run_later(after, Self::go_on_recovering));
        }
        self.recoveries.answer_sweeps();
        self.start_queued();
        self.report_drained();
    }

    fn try_to_recover(&self, next: RecoveryTry, ctx: &mut Context<Self>) {
        let recoverer = Recoverer { node: Arc::clone(&self.node), epoch: self.epoch };
        let work = async move { recoverer.recover(next).await };
        ctx.spawn(work.into_actor(self).map(move |result, registry, ctx| {
            match result {
                Ok(recovered) => registry.recovered(next.id, recovered, ctx),
                Err(error) => registry.recovery_failed(next.id, &error),
            }
            registry.go_on_recovering(ctx);
        }));
    }

    fn recovered(&mut self, id: ResponseId, recovered: Recovered, ctx: &mut Context<Self>) {
        if let Some(reason) = self.recoveries.queue.remove(id) {
            tracing::warn!(response.id = %id, reason = reason.as_str(), "a response that was set aside goes on");
        }
        let answer = match recovered {
            Recovered::Over => Ok(()),
            Recovered::Taken => Err(Refusal::OtherOwner),
            // It belongs to this node's current epoch, so the next start of the node finds it.
            Recovered::Resumable(_) if self.draining => Err(Refusal::Draining),
            Recovered::Resumable(run) => self.resume_recovered(*run, ctx),
        };
        self.recoveries.answer(id, &answer);
    }

    fn resume_recovered(&mut self, run: ResumableRun, ctx: &mut Context<Self>) -> Result<(), Refusal> {
        fault::reach(FaultPoint::LeftoverFound);
        self.resume(run, ctx);
        Ok(())
    }

    fn recovery_failed(&mut self, id: ResponseId, error: &RecoveryError) {
        let now = self.recoveries.now();
        let Some(reason) = error.set_aside_reason() else {
            if self.recoveries.queue.database_away(id, now) {
                tracing::warn!(error = %error, "the recovery waits for the database");
            }
            return;
        };
        if let Some(reason) = self.recoveries.queue.failed(id, reason, now) {
            self.set_aside(id, reason, error);
        }
    }

    /// Says that a response is set aside.
    fn set_aside(&mut self, id: ResponseId, reason: SetAsideReason, error: &RecoveryError) {
        let (reason, advice) = (reason.as_str(), reason.advice());
        tracing::error!(response.id = %id, reason, error = %error, advice, "a response is set aside");
    }
}
