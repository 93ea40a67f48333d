//! The node's lease: as long as it lasts, no other node takes this one's responses over.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::sync_channel},
    time::Duration,
};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::{
    runtime,
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout},
};

use super::{NodeFailure, NodeState, node::Node, supervision::ArbiterTicks};
use crate::store::{Error, NodeStore};

/// How often a lease is renewed before it would end.
const RENEWALS: u32 = 3;

/// How often a lease is renewed, and how often the responses of nodes without one are looked for.
pub(crate) fn renewal_interval(lease: Duration) -> Duration {
    (lease / RENEWALS).max(Duration::from_millis(1))
}

/// What the node's actors and its heartbeat know of each other.
#[derive(Debug, Default)]
pub(crate) struct NodeOwnership(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// None while another is being taken: the database may have the next one already.
    epoch: Option<i64>,
    streak: Streak,
}

impl NodeOwnership {
    /// Another epoch is about to be taken.
    pub(crate) fn leave(&self) {
        self.0.lock().epoch = None;
    }

    /// This epoch was taken.
    pub(crate) fn enter(&self, epoch: i64) {
        self.0.lock().epoch = Some(epoch);
    }

    /// Whether another node that has no lease is to blame for that itself: this one has renewed its own for
    /// so long that the database was there for both.
    pub(crate) fn may_take_over(&self, lease: Duration) -> bool {
        self.0.lock().streak.lasts(Instant::now(), lease)
    }

    fn epoch(&self) -> Option<i64> {
        self.0.lock().epoch
    }

    fn renewed(&self, lease: Duration) {
        self.0.lock().streak.renewed(Instant::now(), lease);
    }
}

/// Renewals without a gap in which another node's lease could have run out: its first one and its last.
#[derive(Debug, Default)]
struct Streak(Option<(Instant, Instant)>);

impl Streak {
    fn renewed(&mut self, now: Instant, lease: Duration) {
        let unbroken = self.0.filter(|(_, last)| now.duration_since(*last) <= lease / 2);
        self.0 = Some((unbroken.map_or(now, |(first, _)| first), now));
    }

    /// Whether it has lasted for a whole lease and goes on.
    fn lasts(&self, now: Instant, lease: Duration) -> bool {
        let steady = |(first, last): (Instant, Instant)| {
            now.duration_since(first) >= lease && now.duration_since(last) <= lease / 2
        };
        self.0.is_some_and(steady)
    }
}

/// The thread that renews the lease. It depends on no arbiter, so that a hung one can't keep it from seeing that.
/// It ends with this, after the call to the database that it is in.
#[derive(Debug)]
pub(crate) struct Heartbeat(mpsc::UnboundedSender<oneshot::Sender<()>>);

impl Heartbeat {
    /// Starts the thread. Where another process turns out to have the node's name, `state` is told.
    pub(crate) fn start(node: &Node, state: watch::Sender<NodeState>) -> io::Result<Self> {
        let (give_up, wishes) = mpsc::unbounded_channel();
        // Not the node itself, which must end although a call takes long.
        let lease = Lease {
            node: node.name.clone(),
            nodes: Arc::clone(&node.store.nodes),
            ownership: Arc::clone(&node.ownership),
            ticks: node.arbiters.ticks(),
            lasts: node.settings.lease,
            last: Ok(()),
        };
        let retry = node.settings.heartbeat.min(renewal_interval(node.settings.lease));
        let (ready, started) = sync_channel(1);
        // All of it: the store is not ours, and may open a socket here.
        let life = move || match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                if ready.send(Ok(())).is_ok() {
                    live(&state, || runtime.block_on(lease.keep(retry, wishes, &state)));
                }
            }
            // Who started the thread waits for it.
            Err(error) => drop(ready.send(Err(error))),
        };
        std::thread::Builder::new().name("antiphon-lease".to_owned()).spawn(life)?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self(give_up))
    }

    /// Gives the lease up: other nodes can take at once what this one has left. Returns when that is done, or
    /// has failed.
    pub(crate) async fn give_up(&self) {
        let (reply, done) = oneshot::channel();
        if self.0.send(reply).is_ok() {
            // Without an answer the thread is gone, and the lease ends by itself.
            let _gone = done.await;
        }
    }
}

/// Runs the thread to its end. A node does not go on without one that renews its lease, so a panic there is told.
fn live(state: &watch::Sender<NodeState>, life: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(life)).is_err() {
        tracing::error!("the thread that renews the node's lease panicked");
        NodeState::tell(state, NodeState::Failed(NodeFailure::Lease));
    }
}

struct Lease {
    node: String,
    nodes: Arc<dyn NodeStore>,
    ownership: Arc<NodeOwnership>,
    ticks: ArbiterTicks,
    lasts: Duration,
    /// What became of the last renewal.
    last: Result<(), Missed>,
}

/// Why a renewal failed.
#[derive(Debug, thiserror::Error)]
enum Missed {
    #[error(transparent)]
    Store(Error),
    /// Its text may quote content.
    #[error("the store panicked")]
    Panic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeaseRenewal {
    Renewed,
    /// There is no epoch yet, an arbiter gave no sign of life, or the database no answer.
    NotYet,
    /// The node has an epoch that this process did not take.
    Superseded,
}

impl Lease {
    async fn keep(
        mut self,
        retry: Duration,
        mut wishes: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
        state: &watch::Sender<NodeState>,
    ) {
        let mut pause = retry;
        loop {
            match timeout(pause, wishes.recv()).await {
                Ok(Some(reply)) => {
                    self.give_up().await;
                    let _left = reply.send(());
                    return;
                }
                Ok(None) => return,
                Err(_elapsed) => {}
            }
            pause = match self.beat().await {
                LeaseRenewal::Renewed => renewal_interval(self.lasts),
                LeaseRenewal::NotYet => retry,
                LeaseRenewal::Superseded => {
                    tracing::error!("another process has taken an epoch under this node's name");
                    return NodeState::tell(state, NodeState::Failed(NodeFailure::Superseded));
                }
            };
        }
    }

    async fn beat(&mut self) -> LeaseRenewal {
        let Some(epoch) = self.ownership.epoch() else { return LeaseRenewal::NotYet };
        if !self.ticks.all() {
            return LeaseRenewal::NotYet;
        }
        let renewed = self.renew(epoch, self.lasts).await;
        let beat = match &renewed {
            Ok(true) => {
                self.ownership.renewed(self.lasts);
                LeaseRenewal::Renewed
            }
            Ok(false) if self.ownership.epoch() == Some(epoch) => LeaseRenewal::Superseded,
            // This process itself has taken another one meanwhile, or is about to.
            Ok(false) | Err(_) => LeaseRenewal::NotYet,
        };
        self.tell(renewed.map(drop));
        beat
    }

    async fn give_up(&self) {
        let Some(epoch) = self.ownership.epoch() else { return };
        match self.renew(epoch, Duration::ZERO).await {
            Ok(true) => tracing::info!("the node's lease is given up"),
            Ok(false) => tracing::warn!("the node's lease is another process's"),
            Err(error) => tracing::warn!(error = %error, "the node's lease could not be given up and ends by itself"),
        }
    }

    /// A panic of the store is a renewal that failed: without this thread the node would lose its lease unseen.
    async fn renew(&self, epoch: i64, lasts: Duration) -> Result<bool, Missed> {
        let renewed = async { self.nodes.renew_lease(&self.node, epoch, lasts).await };
        match AssertUnwindSafe(renewed).catch_unwind().await {
            Ok(renewed) => renewed.map_err(Missed::Store),
            Err(_panic) => Err(Missed::Panic),
        }
    }

    /// Once when an outage begins and once when it is over; every panic, which is nobody's outage.
    fn tell(&mut self, renewed: Result<(), Missed>) {
        match (&renewed, &self.last) {
            (Err(Missed::Panic), _) => tracing::error!("the store panicked at the renewal of the node's lease"),
            (Err(error), Ok(()) | Err(Missed::Panic)) => {
                tracing::warn!(error = %error, "the node's lease waits for the database");
            }
            (Ok(()), Err(_)) => tracing::info!("the node's lease is renewed again"),
            (Ok(()), Ok(())) | (Err(Missed::Store(_)), Err(Missed::Store(_))) => {}
        }
        self.last = renewed;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::actors::supervision::Arbiters;
    use crate::protocol::ResponseId;
    use crate::store::MemoryStore;

    const LEASE: Duration = Duration::from_secs(12);

    /// Renewals at these seconds; whether the streak lasts at `now`.
    fn lasts(renewals: &[u64], now: u64) -> bool {
        let begin = Instant::now();
        let at = |second: u64| begin + Duration::from_secs(second);
        let mut streak = Streak::default();
        renewals.iter().for_each(|second| streak.renewed(at(*second), LEASE));
        streak.lasts(at(now), LEASE)
    }

    #[test]
    fn a_node_takes_over_after_a_whole_lease_without_a_gap() {
        assert!(!lasts(&[], 12));
        assert!(!lasts(&[0, 4, 8], 11), "too short");
        assert!(lasts(&[0, 4, 8], 12));
        assert!(lasts(&[0, 6, 12], 18), "late and without a gap");
        assert!(!lasts(&[0, 4, 8, 12], 19), "the database may be away");
        assert!(!lasts(&[0, 4, 8, 12, 19, 23], 24), "it was away");
        assert!(lasts(&[0, 4, 8, 12, 19, 23, 27, 31], 31), "it is back for a lease");
    }
    async fn lease(arbiters: &Arbiters) -> Lease {
        let (nodes, ownership) = (Arc::new(MemoryStore::new()), Arc::new(NodeOwnership::default()));
        ownership.enter(nodes.next_epoch("one", LEASE).await.unwrap());
        Lease { node: "one".to_owned(), nodes, ownership, ticks: arbiters.ticks(), lasts: LEASE, last: Ok(()) }
    }

    async fn is_renewed(lease: &mut Lease) {
        while lease.beat().await != LeaseRenewal::Renewed {
            tokio::task::yield_now().await;
        }
    }

    async fn until(is_so: impl Fn() -> bool) {
        let seen = async {
            while !is_so() {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(Duration::from_secs(30), seen).await.is_ok(), "it did not come");
    }

    #[tokio::test]
    async fn a_lease_is_renewed_only_if_every_arbiter_has_ticked_since() {
        let arbiters = Arbiters::start(2).unwrap();
        let mut lease = lease(&arbiters).await;
        assert_eq!(lease.beat().await, LeaseRenewal::NotYet, "nobody has ticked");
        arbiters.watch(Duration::from_millis(5), 3, || {});
        for arbiter in [arbiters.root(), arbiters.of(ResponseId::new()).unwrap()] {
            is_renewed(&mut lease).await;
            let (block, blocked) = std::sync::mpsc::channel::<()>();
            let (begin, begun) = std::sync::mpsc::channel();
            arbiter.spawn_fn(move || {
                let _heard = begin.send(());
                let _unblocked = blocked.recv();
            });
            begun.recv().unwrap();
            let mut times = 0;
            while arbiters.hung() == 0 {
                times += u32::from(lease.beat().await == LeaseRenewal::Renewed);
                tokio::task::yield_now().await;
            }
            assert!(times <= 1, "once at most, for what it ticked before it was blocked");
            drop(block);
            until(|| arbiters.hung() == 0).await;
        }
        is_renewed(&mut lease).await;
    }

    #[test]
    fn a_lease_thread_that_panics_is_the_end_of_its_node() {
        let (state, states) = watch::channel(NodeState::Starting);
        live(&state, || {});
        assert!(matches!(*states.borrow(), NodeState::Starting), "one that ends in order is not");
        live(&state, || std::panic::resume_unwind(Box::new("boom")));
        assert!(matches!(*states.borrow(), NodeState::Failed(NodeFailure::Lease)));
    }
}
