//! The sweep: it looks for responses whose owner is gone, and for marks that were cleared.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::{Addr, Handler, Message, MessageResult};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::ResponseRegistry;
use crate::actors::{node::Node, node_ownership::renewal_interval, persistence_accumulator::StoreFact};
use crate::domain::{LeaseState, LeftBehind, OwnershipDecision, RecoveryWish};
use crate::protocol::ResponseId;
use crate::refusal::Refusal;
use crate::store::{Conflict, Error};

/// How many responses one sweep reads.
const BATCH: u32 = 1_000;

/// The interval between two sweeps: what a lost node leaves behind is found that soon after its lease.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// The shortest time from one sweep to the next, however many requests ask for one.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// How many responses of the present epoch are read: all. There are hardly more of them than run here, and only of all
/// of them it can be told which are missing.
const ALL_OWN: u32 = u32::MAX;

const PAUSE_WHEN_AWAY: Duration = Duration::from_secs(1);

/// Looks, at intervals and without end, for responses that have not ended and whose owner is gone: the last entries
/// of a former owner may become durable after the first look, and other nodes may die at any time.
///
/// Now and then it looks at the responses of the present epoch too: one of them that nobody runs was admitted or resumed
/// by a supervisor that counted as ended, and one that runs here and is not among them may have another owner by now. It
/// looks at once when `wanted` says that somebody waits for it.
pub(super) async fn sweep(node: Arc<Node>, epoch: i64, registry: Addr<ResponseRegistry>, wanted: Arc<Notify>) {
    let mut own_looked_at = Instant::now();
    loop {
        let looks_at_own = own_looked_at.elapsed() >= renewal_interval(node.settings.lease);
        let begun = Instant::now();
        let mut running = None;
        if looks_at_own {
            own_looked_at = begun;
            running = registry.send(GetRunning).await.ok();
        }
        let pause = match look(&node, epoch, running).await {
            Ok(None) => {
                registry.do_send(NotSwept { why: Refusal::NoLease });
                PAUSE_WHEN_AWAY
            }
            Ok(Some(found)) => {
                let is_all = found.is_all;
                let (tried, all_tried) = oneshot::channel();
                registry.do_send(Swept { found, tried });
                // More may follow those that were tried, if they were others than the last time.
                let found_new = all_tried.await.is_ok_and(|new| new > 0);
                if found_new && !is_all { Duration::ZERO } else { SWEEP_INTERVAL }
            }
            Err(error) => {
                tracing::warn!(error = %error, "the recovery waits for the database");
                registry.do_send(NotSwept { why: error.into() });
                PAUSE_WHEN_AWAY
            }
        };
        if tokio::time::timeout(pause, wanted.notified()).await.is_ok() {
            tokio::time::sleep_until(begun + LEAST_INTERVAL).await;
        }
    }
}

/// What a sweep has found.
#[derive(Debug)]
struct Sweep {
    /// The responses that this node may recover as far as the database knows, and those of its own epoch if these were
    /// looked at.
    orphans: Vec<LeftBehind>,
    /// The supervisors, by their numbers, whose response has another owner.
    disowned: Vec<(ResponseId, u64)>,
    /// Whether there are no other orphans.
    is_all: bool,
    /// When the database was asked.
    asked: Instant,
    /// The responses that were set aside then, if these are all.
    marked: Option<HashSet<ResponseId>>,
}

/// Looks once, and at the responses of the present epoch if `running` is given: the supervisors that there were before.
/// None while this node has no lease.
async fn look(node: &Node, epoch: i64, running: Option<Vec<(ResponseId, u64)>>) -> Result<Option<Sweep>, Error> {
    if node.ownership.lease(node.settings.lease) == LeaseState::Missing {
        return Ok(None);
    }
    let batch = usize::try_from(BATCH).unwrap_or(usize::MAX);
    let (responses, asked) = (&node.store.responses, Instant::now());
    let marked = responses.set_aside(BATCH).await?;
    // Of a part nobody can tell whose mark was cleared.
    let marked = (marked.len() < batch).then(|| marked.iter().map(|response| response.id).collect());
    let mut found = responses.orphaned(&node.name, epoch, BATCH).await?;
    let is_all = found.len() < batch;
    found.retain(|orphan| {
        let decision = node.decide_about((&orphan.node, orphan.epoch), RecoveryWish::Node);
        decision == OwnershipDecision::Recover
    });
    let mut orphans: Vec<_> =
        found.iter().map(|orphan| LeftBehind { id: orphan.id, set_aside: orphan.set_aside }).collect();
    let mut disowned = Vec::new();
    if let Some(mut running) = running {
        let own: HashSet<_> = responses.unended(&node.name, epoch, ALL_OWN).await?.into_iter().collect();
        running.retain(|(id, _)| !own.contains(id));
        disowned = of_other_owners(node, epoch, running).await?;
        orphans.extend(own.into_iter().map(|id| LeftBehind { id, set_aside: None }));
    }
    Ok(Some(Sweep { orphans, disowned, is_all, asked, marked }))
}

/// Those of the supervisors whose response has another owner. The others have not been admitted yet, or have ended
/// here and still serve clients.
async fn of_other_owners(
    node: &Node,
    epoch: i64,
    mut running: Vec<(ResponseId, u64)>,
) -> Result<Vec<(ResponseId, u64)>, Error> {
    let mut others = HashSet::new();
    for (id, _) in &running {
        let row = node.store.responses.response(*id).await?;
        // No two nodes have the same epoch.
        if row.is_some_and(|row| row.epoch != epoch) {
            others.insert(*id);
        }
    }
    running.retain(|(id, _)| others.contains(id));
    Ok(running)
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

/// A sweep is done.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Swept {
    found: Sweep,
    /// Told, once each of the orphans was tried, how many of them were not known before.
    tried: oneshot::Sender<usize>,
}

/// Asks for the supervisors that run now.
#[derive(Debug, Message)]
#[rtype(result = "Vec<(ResponseId, u64)>")]
struct GetRunning;

/// A sweep could not look: who waits for it is told why.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct NotSwept {
    why: Refusal,
}

impl Handler<GetRunning> for ResponseRegistry {
    type Result = MessageResult<GetRunning>;

    fn handle(&mut self, _: GetRunning, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.running.numbers())
    }
}

impl Handler<NotSwept> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, NotSwept { why }: NotSwept, _: &mut Self::Context) {
        for (_, done) in self.recoveries.awaiting_sweep.drain(..) {
            let _left = done.send(Err(why.clone()));
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

impl Handler<Swept> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, Swept { found, tried }: Swept, ctx: &mut Self::Context) {
        let Sweep { mut orphans, disowned, is_all, asked, marked } = found;
        for (id, number) in disowned {
            if self.running.is_run_by(id, number)
                && let Some(child) = self.running.get(&id)
            {
                child.addr().do_send(StoreFact::OwnershipLost(Conflict::Owner));
            }
        }
        orphans.retain(|orphan| !self.draining && !self.running.contains_key(&orphan.id));
        let now = self.recoveries.now();
        if let Some(marked) = marked {
            let asked = asked.saturating_duration_since(self.recoveries.begun);
            for id in self.recoveries.queue.compare_marks(|id| marked.contains(&id), asked, now) {
                tracing::info!(response.id = %id, "a response that was set aside is tried again: its mark was cleared");
            }
        }
        let new = self.recoveries.queue.found(&orphans, is_all, now);
        self.recoveries.sweeps.push((tried, new));
        self.recoveries.answer_awaiting_sweep();
        self.write_marks(ctx);
        self.go_on_recovering(ctx);
    }
}
