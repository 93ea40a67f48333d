//! The threads that actors live on.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
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
    node: ArbiterHandle,
    responses: Vec<Watched>,
}

struct Watched {
    arbiter: ArbiterHandle,
    ticks: Arc<AtomicU64>,
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
        let watch = |arbiter| Watched { arbiter, ticks: Arc::default() };
        Ok(Self { system, node, responses: arbiters.into_iter().map(watch).collect() })
    }

    /// The arbiter of the node's own actors.
    #[must_use]
    pub fn node(&self) -> &ArbiterHandle {
        &self.node
    }

    /// The arbiter of a response: all its actors share it.
    #[must_use]
    pub fn of(&self, response: ResponseId) -> &ArbiterHandle {
        // The low half of a version 7 UUID is random.
        let (_, random) = response.uuid().as_u64_pair();
        let index = usize::try_from(random % self.responses.len() as u64).unwrap_or(0);
        &self.responses[index].arbiter
    }

    /// Starts a thread that asks every response arbiter for a sign of life once per `every`, and tells
    /// `hung` the number of the first one that gave none for `patience`. It ends with the arbiters.
    pub fn watch(&self, every: Duration, patience: u32, hung: impl FnOnce(usize) + Send + 'static) {
        let watched: Vec<_> = self.responses.iter().map(|w| (w.arbiter.clone(), Arc::clone(&w.ticks))).collect();
        let life = move || watch(&watched, every, patience, hung);
        // Without the thread only the watch is missing; the arbiters themselves work.
        if std::thread::Builder::new().name("antiphon-watch".to_owned()).spawn(life).is_err() {
            tracing::error!("the arbiters are not watched: no thread could be started");
        }
    }
}

fn watch(watched: &[(ArbiterHandle, Arc<AtomicU64>)], every: Duration, patience: u32, hung: impl FnOnce(usize)) {
    let mut missed = vec![0; watched.len()];
    let mut asked: u64 = 0;
    loop {
        asked += 1;
        for (arbiter, ticks) in watched {
            let (ticks, tick) = (Arc::clone(ticks), asked);
            if !arbiter.spawn_fn(move || ticks.store(tick, Ordering::Relaxed)) {
                return;
            }
        }
        #[expect(clippy::disallowed_methods, reason = "a thread of its own, and it must not depend on a runtime")]
        std::thread::sleep(every);
        for (index, (_, ticks)) in watched.iter().enumerate() {
            missed[index] = if ticks.load(Ordering::Relaxed) == asked { 0 } else { missed[index] + 1 };
            if missed[index] >= patience {
                return hung(index);
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
