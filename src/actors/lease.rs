//! The node's lease: as long as it lasts, no other node takes this one's responses over.

use std::{
    io,
    sync::{Arc, mpsc::sync_channel},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    runtime,
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{NodeFailure, NodeState, node::Node, supervision::Ticks};
use crate::store::{Error, Store};

/// How often a lease is renewed before it would end.
const RENEWALS: u32 = 3;

/// How often a lease is renewed, and how often the responses of nodes without one are looked for.
pub(crate) fn renewal_interval(lease: Duration) -> Duration {
    (lease / RENEWALS).max(Duration::from_millis(1))
}

/// The epoch that the node has, for who renews its lease. None while another is being taken: the database may
/// have the next one already.
#[derive(Debug, Default)]
pub(crate) struct NewestEpoch(Mutex<Option<i64>>);

impl NewestEpoch {
    /// Another one is about to be taken.
    pub(crate) fn leave(&self) {
        *self.0.lock() = None;
    }

    /// This one was taken.
    pub(crate) fn enter(&self, epoch: i64) {
        *self.0.lock() = Some(epoch);
    }

    fn get(&self) -> Option<i64> {
        *self.0.lock()
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
            store: Arc::clone(&node.store),
            epoch: Arc::clone(&node.epoch),
            ticks: node.arbiters.ticks(),
            lasts: node.settings.lease,
            away: false,
        };
        let retry = node.settings.heartbeat.min(renewal_interval(node.settings.lease));
        let (ready, started) = sync_channel(1);
        let life = move || match runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => {
                if ready.send(Ok(())).is_ok() {
                    runtime.block_on(lease.keep(retry, wishes, state));
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

struct Lease {
    node: String,
    store: Arc<dyn Store>,
    epoch: Arc<NewestEpoch>,
    ticks: Ticks,
    lasts: Duration,
    away: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beat {
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
        state: watch::Sender<NodeState>,
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
                Beat::Renewed => renewal_interval(self.lasts),
                Beat::NotYet => retry,
                Beat::Superseded => {
                    tracing::error!("another process has taken an epoch under this node's name");
                    return NodeState::tell(&state, NodeState::Failed(NodeFailure::Superseded));
                }
            };
        }
    }

    async fn beat(&mut self) -> Beat {
        let Some(epoch) = self.epoch.get() else { return Beat::NotYet };
        if !self.ticks.all() {
            return Beat::NotYet;
        }
        let renewed = self.store.renew_lease(&self.node, epoch, self.lasts).await;
        self.tell_outage(renewed.as_ref().err());
        match renewed {
            Ok(true) => Beat::Renewed,
            Ok(false) if self.epoch.get() == Some(epoch) => Beat::Superseded,
            // This process itself has taken another one meanwhile, or is about to.
            Ok(false) | Err(_) => Beat::NotYet,
        }
    }

    async fn give_up(&self) {
        let Some(epoch) = self.epoch.get() else { return };
        match self.store.renew_lease(&self.node, epoch, Duration::ZERO).await {
            Ok(true) => tracing::info!("the node's lease is given up"),
            Ok(false) => tracing::warn!("the node's lease is another process's"),
            Err(error) => tracing::warn!(error = %error, "the node's lease could not be given up and ends by itself"),
        }
    }

    /// Once when it begins and once when it is over.
    fn tell_outage(&mut self, error: Option<&Error>) {
        match error {
            Some(error) if !self.away => tracing::warn!(error = %error, "the node's lease waits for the database"),
            None if self.away => tracing::info!("the node's lease is renewed again"),
            Some(_) | None => {}
        }
        self.away = error.is_some();
    }
}
