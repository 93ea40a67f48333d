//! The node's lease. While it lasts, no other node takes over this node's responses.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::sync_channel},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    runtime,
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout},
};

use super::{
    NodeFailure, NodeState,
    node::Node,
    node_ownership::{NodeOwnership, Silence, renewal_interval},
    supervision::ArbiterTicks,
};
use crate::store::{Error, NodeStore};

/// The thread that renews the lease. It runs on no arbiter, so that it notices when an arbiter hangs. It ends when
/// this is dropped, after the call to the database that it may be in.
#[derive(Debug)]
pub(crate) struct Heartbeat(mpsc::UnboundedSender<oneshot::Sender<bool>>);

impl Heartbeat {
    /// Starts the thread. If another process turns out to use the node's name, `state` becomes failed.
    pub(crate) fn start(node: &Node, state: watch::Sender<NodeState>) -> io::Result<Self> {
        let (give_up, requests) = mpsc::unbounded_channel();
        // The parts of the node, not the node itself: it must end even if a call takes long.
        let lease = Lease {
            node: node.name.clone(),
            nodes: Arc::clone(&node.store.nodes),
            ownership: Arc::clone(&node.ownership),
            ticks: node.arbiters.ticks(),
            lasts: node.settings.lease,
            last: Ok(()),
            silence: Silence::since(Instant::now()),
        };
        let retry = node.settings.heartbeat.min(renewal_interval(node.settings.lease));
        let (ready, started) = sync_channel(1);
        // All drivers are enabled: an embedder's store may open a socket on this runtime.
        let life = move || match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                if ready.send(Ok(())).is_ok() {
                    live(&state, || runtime.block_on(lease.keep(retry, requests, &state)));
                }
            }
            // The caller of `start` waits for this.
            Err(error) => drop(ready.send(Err(error))),
        };
        std::thread::Builder::new().name("antiphon-lease".to_owned()).spawn(life)?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self(give_up))
    }

    /// Gives the lease up: other nodes can take at once what this one has left. Whether it was this node's and is
    /// given up now.
    pub(crate) async fn give_up(&self) -> bool {
        let (reply, done) = oneshot::channel();
        // Without an answer the thread has ended, and the lease runs out.
        self.0.send(reply).is_ok() && done.await.unwrap_or(false)
    }
}

/// Runs the thread to its end. A node can't continue without renewing its lease, so a panic makes the node fail.
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
    /// The result of the last renewal.
    last: Result<(), Missed>,
    /// For how long not every arbiter has ticked.
    silence: Silence,
}

/// Why a renewal failed.
#[derive(Debug, thiserror::Error)]
enum Missed {
    #[error(transparent)]
    Store(Error),
    /// The store panicked. The text of the panic may quote content and is dropped.
    #[error("the store panicked")]
    Panic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeaseRenewal {
    Renewed,
    /// There is no epoch yet, an arbiter did not respond, or the database did not answer.
    NotYet,
    /// An arbiter has not responded for two leases: for the second one others have owned the node's responses.
    Hung,
    /// The node has an epoch that this process did not take.
    Superseded,
}

impl Lease {
    async fn keep(
        mut self,
        retry: Duration,
        mut requests: mpsc::UnboundedReceiver<oneshot::Sender<bool>>,
        state: &watch::Sender<NodeState>,
    ) {
        let mut pause = retry;
        loop {
            match timeout(pause, requests.recv()).await {
                Ok(Some(reply)) => {
                    let _left = reply.send(self.give_up().await);
                    return;
                }
                Ok(None) => return,
                Err(_elapsed) => {}
            }
            pause = match self.beat(pause).await {
                LeaseRenewal::Renewed => renewal_interval(self.lasts),
                LeaseRenewal::NotYet => retry,
                LeaseRenewal::Hung => {
                    tracing::error!("a thread hangs for so long that the node's lease is lost for good");
                    return NodeState::tell(state, NodeState::Failed(NodeFailure::LeaseLost));
                }
                LeaseRenewal::Superseded => {
                    tracing::error!("another process has taken an epoch under this node's name");
                    return NodeState::tell(state, NodeState::Failed(NodeFailure::Superseded));
                }
            };
        }
    }

    /// Renews the lease, at a beat that follows the last one after `pause`.
    async fn beat(&mut self, pause: Duration) -> LeaseRenewal {
        let Some(epoch) = self.ownership.epoch() else { return LeaseRenewal::NotYet };
        let began = Instant::now();
        let ticked = self.ticks.all();
        if self.silence.look(began, pause, ticked) >= 2 * self.lasts {
            return LeaseRenewal::Hung;
        }
        if !ticked {
            return LeaseRenewal::NotYet;
        }
        let renewed = self.renew(epoch, self.lasts).await;
        let beat = match &renewed {
            Ok(true) => {
                self.ownership.renewed(began, self.lasts);
                LeaseRenewal::Renewed
            }
            Ok(false) if self.ownership.epoch() == Some(epoch) => LeaseRenewal::Superseded,
            // This process itself has taken another epoch meanwhile, or is about to.
            Ok(false) | Err(_) => LeaseRenewal::NotYet,
        };
        self.tell(renewed.map(drop));
        beat
    }

    async fn give_up(&self) -> bool {
        let Some(epoch) = self.ownership.epoch() else { return false };
        self.ownership.given_up();
        let given_up = self.renew(epoch, Duration::ZERO).await;
        match &given_up {
            Ok(true) => tracing::info!("the node's lease is given up"),
            Ok(false) => tracing::warn!("the node's lease belongs to another process"),
            Err(error) => tracing::warn!(error = %error, "the node's lease could not be given up and ends by itself"),
        }
        given_up.unwrap_or(false)
    }

    /// Renews the lease. A panic of the store counts as a failed renewal: without this thread the node would lose its
    /// lease unnoticed.
    async fn renew(&self, epoch: i64, lasts: Duration) -> Result<bool, Missed> {
        let renewed = async { self.nodes.renew_lease(&self.node, epoch, lasts).await };
        match AssertUnwindSafe(renewed).catch_unwind().await {
            Ok(renewed) => renewed.map_err(Missed::Store),
            Err(_panic) => Err(Missed::Panic),
        }
    }

    /// Logs when an outage of the database begins and when it is over, and every panic of the store.
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
    const PAUSE: Duration = Duration::from_millis(5);

    async fn lease(arbiters: &Arbiters) -> Lease {
        let (nodes, ownership) = (Arc::new(MemoryStore::new()), Arc::new(NodeOwnership::default()));
        let now = Instant::now();
        ownership.enter(nodes.next_epoch("one", LEASE).await.unwrap(), now, LEASE);
        let silence = Silence::since(now);
        Lease { node: "one".to_owned(), nodes, ownership, ticks: arbiters.ticks(), lasts: LEASE, last: Ok(()), silence }
    }

    async fn is_renewed(lease: &mut Lease) {
        while lease.beat(PAUSE).await != LeaseRenewal::Renewed {
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
        assert_eq!(lease.beat(PAUSE).await, LeaseRenewal::NotYet, "nobody has ticked");
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
                times += u32::from(lease.beat(PAUSE).await == LeaseRenewal::Renewed);
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
