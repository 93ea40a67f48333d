//! Recovering responses whose owner is gone: which one is tried when, and what becomes of it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};
use actix_rt::ArbiterHandle;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    ResponseRegistry,
    recovered::{Recovered, RecoveryError, ResumableRun},
    recoverer::Recoverer,
};
use crate::domain::{RecoveryQueue, RecoveryTry, SettleReason, TryUnanswered};
use crate::fault::{self, FaultPoint};
use crate::protocol::ResponseId;
use crate::refusal::Refusal;

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

type RecoveryWaiter = oneshot::Sender<Result<(), Refusal>>;

type RecoveryWaiters = Vec<RecoveryWaiter>;

/// The responses that lost their owner, and who waits for them.
#[derive(Debug)]
pub(super) struct Recoveries {
    pub(super) queue: RecoveryQueue,
    waiters: HashMap<ResponseId, RecoveryWaiters>,
    pub(super) sweeps: Vec<(oneshot::Sender<usize>, usize)>,
    /// Who waits for the next sweep's word about a response of another node.
    pub(super) awaiting_sweep: Vec<(ResponseId, SettleReason, RecoveryWaiter)>,
    pub(super) sweep_wanted: Arc<Notify>,
    timer: Option<SpawnHandle>,
    /// The moment since which the queue counts.
    pub(super) begun: Instant,
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

    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn answer(&mut self, id: ResponseId, answer: &Result<(), Refusal>) {
        for waiter in self.waiters.remove(&id).unwrap_or_default() {
            let _left = waiter.send(answer.clone());
        }
    }

    /// Answers who waited for a sweep: what it took over is waited for, the rest is left to its owner.
    pub(super) fn answer_awaiting_sweep(&mut self) {
        for (id, reason, done) in std::mem::take(&mut self.awaiting_sweep) {
            if self.queue.contains(id) {
                // If it waits for its next try, that comes soon now.
                self.queue.add(id, reason, self.now());
                self.waiters.entry(id).or_default().push(done);
            } else {
                let _left = done.send(Err(Refusal::OtherOwner));
            }
        }
    }

    fn answer_sweeps(&mut self) {
        if self.queue.is_ready_for_a_sweep() {
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

impl ResponseRegistry {
    /// Recovers a response: ends it, or resumes it here.
    pub(super) fn recover(&mut self, id: ResponseId, reason: SettleReason, ctx: &mut Context<Self>) {
        self.recoveries.queue.add(id, reason, self.recoveries.now());
        self.go_on_recovering(ctx);
    }

    /// Tries the responses that are due, and comes back when the next one is.
    pub(super) fn go_on_recovering(&mut self, ctx: &mut Context<Self>) {
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
                Err(error) => registry.recovery_failed(next.id, &error, ctx),
            }
            registry.go_on_recovering(ctx);
        }));
    }

    pub(super) fn recovered(&mut self, id: ResponseId, recovered: Recovered, ctx: &mut Context<Self>) {
        let arbiter = self.node.arbiters.of(id).cloned();
        if matches!(recovered, Recovered::Resumable(_)) && arbiter.is_none() && !self.draining {
            // Every thread hangs. It can be resumed once one is there again, and is not ended for that.
            self.recoveries.queue.put_off(id, self.recoveries.now());
            return self.recoveries.answer(id, &Err(Refusal::NotResponding));
        }
        if let Some(reason) = self.recoveries.queue.remove(id) {
            self.no_longer_set_aside(id, reason, &recovered, ctx);
        }
        let answer = match recovered {
            Recovered::Over => Ok(()),
            Recovered::Taken => Err(Refusal::OtherOwner),
            // It belongs to this node's current epoch, so the next start of the node finds it.
            Recovered::Resumable(run) => match arbiter.filter(|_| !self.draining) {
                Some(arbiter) => self.resume_recovered(*run, &arbiter, ctx),
                None => Err(Refusal::Draining),
            },
        };
        self.recoveries.answer(id, &answer);
    }

    fn resume_recovered(
        &mut self,
        run: ResumableRun,
        arbiter: &ArbiterHandle,
        ctx: &Context<Self>,
    ) -> Result<(), Refusal> {
        fault::reach(FaultPoint::LeftoverFound);
        self.resume(run, arbiter, ctx);
        Ok(())
    }

    fn recovery_failed(&mut self, id: ResponseId, error: &RecoveryError, ctx: &mut Context<Self>) {
        let now = self.recoveries.now();
        let queue = &mut self.recoveries.queue;
        let found = match (error.set_aside_reason(), error) {
            (Some(reason), _) => TryUnanswered::Failed { set_aside: queue.failed(id, reason, now) },
            (None, RecoveryError::NoLease) => TryUnanswered::Away { is_new: queue.postponed(id, now) },
            (None, _) => queue.unanswered(id, now),
        };
        match found {
            TryUnanswered::Away { is_new: true } => {
                tracing::warn!(error = %error, "the recovery waits for the database");
            }
            TryUnanswered::Failed { set_aside: Some(reason) } => self.set_aside(id, reason, error, ctx),
            TryUnanswered::Away { is_new: false } | TryUnanswered::Failed { set_aside: None } => {}
        }
        if self.recoveries.queue.is_set_aside(id) {
            // Nobody knows when it goes on, so that nobody waits for it.
            self.recoveries.answer(id, &Err(Refusal::ContentUnavailable));
        }
    }
}
