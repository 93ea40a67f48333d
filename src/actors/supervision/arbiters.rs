//! The threads that actors live on.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_rt::{Arbiter, ArbiterHandle, System};

use crate::protocol::ResponseId;

/// The threads could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the threads of the actors could not be started")]
pub struct ArbitersGone;

/// A system of arbiters of our own: one for what serves the whole node, the others for responses.
///
/// It lives on threads of its own, so it runs under an actix `System`, under `#[tokio::main]` and under
/// neither. Dropping it stops every arbiter and so everything that lives there.
pub struct Arbiters {
    system: System,
    node: Watched,
    responses: Vec<Watched>,
}

#[derive(Clone)]
struct Watched {
    arbiter: ArbiterHandle,
    ticks: Arc<AtomicU64>,
    hung: Arc<AtomicBool>,
}

impl Arbiters {
    /// Starts `count` arbiters for responses, at least one, and one for the node.
    ///
    /// # Errors
    /// If a thread can't be started.
    pub fn start(count: usize) -> Result<Self, ArbitersGone> {
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let life = move || {
            let runner = System::new();
            let arbiters: Vec<_> = (0..=count.max(1)).map(|_| Arbiter::new().handle()).collect();
            if ready.send((System::current(), arbiters)).is_ok() {
                let _stopped = runner.run();
            }
        };
        std::thread::Builder::new().name("antiphon".to_owned()).spawn(life).map_err(|_| ArbitersGone)?;
        let (system, mut arbiters) = started.recv().map_err(|_| ArbitersGone)?;
        let node = arbiters.pop().ok_or(ArbitersGone)?;
        let watch = |arbiter| Watched { arbiter, ticks: Arc::default(), hung: Arc::default() };
        Ok(Self { system, node: watch(node), responses: arbiters.into_iter().map(watch).collect() })
    }

    /// The arbiter of the node's own actors.
    #[must_use]
    pub fn node(&self) -> &ArbiterHandle {
        &self.node.arbiter
    }

    /// The arbiter for a new response: all its actors share it. None if all are hung.
    #[must_use]
    pub fn of(&self, response: ResponseId) -> Option<&ArbiterHandle> {
        let alive: Vec<_> = self.responses.iter().filter(|watched| !watched.hung.load(Ordering::Relaxed)).collect();
        // The low half of a version 7 UUID is random.
        let (_, random) = response.uuid().as_u64_pair();
        let index = random.checked_rem(alive.len() as u64).and_then(|index| usize::try_from(index).ok())?;
        alive.get(index).map(|watched| &watched.arbiter)
    }

    fn all(&self) -> impl Iterator<Item = &Watched> {
        std::iter::once(&self.node).chain(&self.responses)
    }

    /// How many arbiters are hung, as far as [`watch`](Self::watch) has found.
    #[must_use]
    pub fn hung(&self) -> usize {
        self.all().filter(|watched| watched.hung.load(Ordering::Relaxed)).count()
    }

    /// What tells whether all arbiters are alive, from any thread. It needs the [`watch`](Self::watch).
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        let ticks = self.all().map(|watched| Arc::clone(&watched.ticks)).collect();
        Ticks { seen: vec![0; self.responses.len() + 1], ticks }
    }

    /// Starts a thread that asks every arbiter for a sign of life once per `every`. One that gave none
    /// `patience` times in a row counts as hung until it gives one again: an arbiter of responses gets no new
    /// one meanwhile, and of the node's own `node_hangs` is told. The thread ends with the arbiters.
    pub fn watch(&self, every: Duration, patience: u32, node_hangs: impl Fn() + Send + 'static) {
        let watched: Vec<_> = self.all().cloned().collect();
        // Without the thread only the watch is missing; the arbiters themselves work.
        let thread = std::thread::Builder::new().name("antiphon-watch".to_owned());
        if thread.spawn(move || watch(&watched, (every, patience), node_hangs)).is_err() {
            tracing::error!("the arbiters are not watched: no thread could be started");
        }
    }
}

/// Whether all arbiters of a node are alive.
#[derive(Debug)]
pub struct Ticks {
    ticks: Vec<Arc<AtomicU64>>,
    seen: Vec<u64>,
}

impl Ticks {
    /// True if every arbiter gave a sign of life since this was last true.
    pub fn all(&mut self) -> bool {
        let now: Vec<_> = self.ticks.iter().map(|ticks| ticks.load(Ordering::Relaxed)).collect();
        let all = now.iter().zip(&self.seen).all(|(now, seen)| now != seen);
        if all {
            self.seen = now;
        }
        all
    }
}

/// The first of them is the node's own.
fn watch(watched: &[Watched], (every, patience): (Duration, u32), node_hangs: impl Fn()) {
    let mut missed = vec![0; watched.len()];
    let mut asked: u64 = 0;
    loop {
        asked += 1;
        for Watched { arbiter, ticks, .. } in watched {
            let (ticks, tick) = (Arc::clone(ticks), asked);
            if !arbiter.spawn_fn(move || ticks.store(tick, Ordering::Relaxed)) {
                return;
            }
        }
        #[expect(clippy::disallowed_methods, reason = "a thread of its own, and it must not depend on a runtime")]
        std::thread::sleep(every);
        for (index, Watched { ticks, hung, .. }) in watched.iter().enumerate() {
            missed[index] = if ticks.load(Ordering::Relaxed) == asked { 0 } else { missed[index] + 1 };
            let is_hung = missed[index] >= patience;
            if hung.swap(is_hung, Ordering::Relaxed) != is_hung {
                tracing::error!(arbiter = index, hung = is_hung, "an arbiter changed between hung and alive");
                if is_hung && index == 0 {
                    node_hangs();
                }
            }
        }
    }
}

impl Drop for Arbiters {
    fn drop(&mut self) {
        self.system.stop();
    }
}

impl fmt::Debug for Arbiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arbiters").field("responses", &self.responses.len()).finish_non_exhaustive()
    }
}
