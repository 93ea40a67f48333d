//! The sweep: it looks for responses whose owner is gone, and for those that somebody wants to be tried again.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::{Addr, Handler, Message, MessageResult};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::ResponseRegistry;
use crate::actors::{node::Node, node_ownership::renewal_interval, persistence_accumulator::StoreFact};
use crate::domain::{LeaseState, LeftBehind, OwnershipDecision, RecoveryWish, SettleReason};
use crate::protocol::ResponseId;
use crate::refusal::Refusal;
use crate::store::{Conflict, Error, OrphanedResponse};

/// How many responses one sweep reads.
const BATCH: u32 = 1_000;

/// The interval between two sweeps: what a lost node leaves behind is found that soon after its lease.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);

/// How long a sweep waits for what it found to be tried.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

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
                let tried = tokio::time::timeout(LONGEST_WAIT, all_tried).await;
                let found_new = matches!(tried, Ok(Ok(new)) if new > 0);
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
    /// Whether there are no others that an earlier process of this node left and that are not set aside.
    is_all: bool,
}

/// Looks once, and at the responses of the present epoch if `running` is given: the supervisors that there were before.
/// None while this node has no lease.
async fn look(node: &Node, epoch: i64, running: Option<Vec<(ResponseId, u64)>>) -> Result<Option<Sweep>, Error> {
    if node.ownership.lease(node.settings.lease) == LeaseState::Missing {
        return Ok(None);
    }
    let responses = &node.store.responses;
    let mut found = responses.orphaned(&node.name, epoch, BATCH).await?;
    let is_all = is_all(&found, BATCH, &node.name);
    found.retain(|orphan| {
        let decision = node.decide_about((&orphan.node, orphan.epoch), RecoveryWish::Node);
        decision == OwnershipDecision::Recover
    });
    let orphan = |OrphanedResponse { id, set_aside, retry_wanted_at, .. }: OrphanedResponse| LeftBehind {
        id,
        set_aside,
        retry_wanted_at,
    };
    let mut orphans: Vec<_> = found.into_iter().map(orphan).collect();
    let mut disowned = Vec::new();
    if let Some(mut running) = running {
        let own: HashSet<_> = responses.unended(&node.name, epoch, ALL_OWN).await?.into_iter().collect();
        running.retain(|(id, _)| !own.contains(id));
        disowned = of_other_owners(node, epoch, running).await?;
        orphans.extend(own.into_iter().map(|id| LeftBehind { id, set_aside: None, retry_wanted_at: None }));
    }
    Ok(Some(Sweep { orphans, disowned, is_all }))
}

/// Whether these, of which at most `limit` were asked for, are all that the node itself left behind and that are not set
/// aside: those come first.
fn is_all(found: &[OrphanedResponse], limit: u32, node: &str) -> bool {
    let is_full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    !is_full || found.last().is_some_and(|last| last.set_aside.is_some() || last.node != node)
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

/// Waits until a sweep has decided about a response of another node, `owner`, and for the recovery if it is taken over.
/// While the owner has a lease there is nothing to decide, and no sweep is asked for.
///
/// # Errors
/// [`Refusal::OtherOwner`] if it is left to its owner; [`Refusal::NoLease`], and those of the database, if nothing can
/// be decided.
pub(super) async fn ask_sweep(
    node: &Node,
    registry: &Addr<ResponseRegistry>,
    (id, owner): (ResponseId, &str),
    reason: SettleReason,
) -> Result<(), Refusal> {
    if node.store.nodes.has_lease(owner).await? {
        return Err(Refusal::OtherOwner);
    }
    let (done, decided) = oneshot::channel();
    registry.do_send(AwaitSweep { id, reason, done });
    decided.await.unwrap_or(Err(Refusal::OtherOwner))
}

/// Asks for a sweep, which may take over a response of another node.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct AwaitSweep {
    id: ResponseId,
    /// Why it is ended, if it is taken over and can't be resumed.
    reason: SettleReason,
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
        for (_, _, done) in self.recoveries.awaiting_sweep.drain(..) {
            let _left = done.send(Err(why.clone()));
        }
    }
}

impl Handler<AwaitSweep> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, AwaitSweep { id, reason, done }: AwaitSweep, _: &mut Self::Context) {
        if self.running.contains_key(&id) {
            let _left = done.send(Ok(()));
            return;
        }
        self.recoveries.awaiting_sweep.push((id, reason, done));
        self.recoveries.sweep_wanted.notify_one();
    }
}

impl Handler<Swept> for ResponseRegistry {
    type Result = ();

    fn handle(&mut self, Swept { found, tried }: Swept, ctx: &mut Self::Context) {
        let Sweep { mut orphans, disowned, is_all } = found;
        for (id, number) in disowned {
            if self.running.is_run_by(id, number)
                && let Some(child) = self.running.get(&id)
            {
                child.addr().do_send(StoreFact::OwnershipLost(Conflict::Owner));
            }
        }
        orphans.retain(|orphan| !self.draining && !self.running.contains_key(&orphan.id));
        let new = self.recoveries.queue.found(&orphans, is_all, self.recoveries.now());
        for id in new.retried {
            tracing::info!(response.id = %id, "a response that is set aside is tried again: somebody asked for it");
        }
        self.recoveries.sweeps.push((tried, new.added));
        self.recoveries.answer_awaiting_sweep();
        self.write_marks(ctx);
        self.go_on_recovering(ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SetAsideReason;

    #[test]
    fn a_full_batch_is_all_where_its_last_one_is_set_aside_or_of_another_node() {
        let orphan = |node: &str, set_aside| OrphanedResponse {
            id: ResponseId::new(),
            node: node.to_owned(),
            epoch: 1,
            set_aside,
            retry_wanted_at: None,
        };
        let (own, other) = (orphan("own", None), orphan("other", None));
        let set_aside = orphan("own", Some(SetAsideReason::NewerVersion));
        for (last, expected) in [(own.clone(), false), (other, true), (set_aside, true)] {
            assert_eq!(is_all(&[own.clone(), last.clone()], 2, "own"), expected, "{last:?}");
            assert!(is_all(&[own.clone(), last], 3, "own"));
        }
    }
}
