//! The threads that actors live on.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_rt::{Arbiter, ArbiterHandle, Runtime, System, SystemRunner};

use super::placement::{SilenceCounter, position};

/// Reports that the threads could not be started. None is left behind.
#[derive(Debug, thiserror::Error)]
#[error("the threads of the actors could not be started")]
pub struct ArbitersStartError(#[source] io::Error);

/// A system of arbiters of its own: one for the root of the tree, which all others need, and some for the work.
///
/// It lives on threads of its own, so it runs under an actix `System`, under `#[tokio::main]` and under
/// neither. Dropping it stops every arbiter and so everything that lives there.
///
/// Actors that talk much with each other belong on one arbiter, where a message costs a thirtieth of what it costs
/// between threads: give them one key.
///
/// ```
/// use actix::{Actor, Context};
/// use antiphon_supervision::{ActorIdentity, Arbiters, Exit, Roster, spawn_on};
///
/// struct Idle;
/// impl Actor for Idle {
///     type Context = Context<Self>;
/// }
///
/// let arbiters = Arbiters::start(2)?;
/// let roster = Roster::new();
/// let (tell, told) = std::sync::mpsc::channel();
/// let arbiter = arbiters.of("room 7").ok_or("all threads hang")?;
/// let identity = ActorIdentity { label: "room", span: tracing::Span::none() };
/// let _child = spawn_on(arbiter, &roster, identity, |_| Idle, move |exit| drop(tell.send(exit)));
/// drop(arbiters);
/// assert_eq!(told.recv()?, Exit::Killed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Arbiters {
    system: System,
    root: WatchedArbiter,
    pub(super) workers: Vec<WatchedArbiter>,
}

#[derive(Clone)]
pub(super) struct WatchedArbiter {
    pub(super) arbiter: ArbiterHandle,
    /// The signs of life that it has given, whoever asked for them.
    pub(super) ticks: Arc<AtomicU64>,
    /// How many watches find it hung.
    hung: Arc<AtomicUsize>,
}

impl WatchedArbiter {
    fn new(arbiter: ArbiterHandle) -> Self {
        Self { arbiter, ticks: Arc::default(), hung: Arc::default() }
    }

    pub(super) fn is_hung(&self) -> bool {
        self.hung.load(Ordering::Relaxed) > 0
    }

    fn signs(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Asks for a sign of life. False if the arbiter is gone.
    fn ask(&self) -> bool {
        let ticks = Arc::clone(&self.ticks);
        self.arbiter.spawn_fn(move || {
            ticks.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Counts what a watch finds.
    fn found(&self, hung: bool) {
        if hung {
            self.hung.fetch_add(1, Ordering::Relaxed);
        } else {
            self.hung.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Arbiters {
    /// Starts `workers` arbiters for the work, at least one, and one for the root.
    ///
    /// # Errors
    /// If a thread can't be started, with the reason as source.
    pub fn start(workers: usize) -> Result<Self, ArbitersStartError> {
        Self::start_with(workers, Arbiter::try_new)
    }

    pub(super) fn start_with(
        workers: usize,
        new: impl Fn() -> io::Result<Arbiter> + Send + 'static,
    ) -> Result<Self, ArbitersStartError> {
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let life = move || match system(workers.max(1) + 1, new) {
            Ok((runner, arbiters)) => {
                if ready.send(Ok((System::current(), arbiters))).is_ok() {
                    let _stopped = runner.run();
                }
            }
            // Who started the thread waits for it.
            Err(error) => drop(ready.send(Err(error))),
        };
        std::thread::Builder::new().name("arbiters".to_owned()).spawn(life).map_err(ArbitersStartError)?;
        let started = started.recv().map_err(|gone| ArbitersStartError(io::Error::other(gone)))?;
        let (system, mut arbiters) = started.map_err(ArbitersStartError)?;
        let root = arbiters.pop().ok_or_else(|| ArbitersStartError(io::Error::other("no arbiter for the root")))?;
        Ok(Self {
            system,
            root: WatchedArbiter::new(root),
            workers: arbiters.into_iter().map(WatchedArbiter::new).collect(),
        })
    }

    /// The arbiter of the root of the tree, and of what else must always answer.
    #[must_use]
    pub fn root(&self) -> &ArbiterHandle {
        &self.root.arbiter
    }

    /// The arbiter for what works on `key`. It is always the same one, unless that one is hung. None if all are.
    #[must_use]
    pub fn of(&self, key: impl Hash) -> Option<&ArbiterHandle> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let alive = |index: usize| self.workers.get(index).is_some_and(|worker| !worker.is_hung());
        position(hasher.finish(), self.workers.len(), alive)
            .and_then(|index| self.workers.get(index))
            .map(|worker| &worker.arbiter)
    }

    fn all(&self) -> impl Iterator<Item = &WatchedArbiter> {
        std::iter::once(&self.root).chain(&self.workers)
    }

    /// Ends all of them, each once it has finished its turn: one that is blocked stays until it no longer is. What lives
    /// there is dropped.
    pub fn stop(&self) {
        self.system.stop();
    }

    /// How many arbiters are hung, the root's included, as far as [`watch`](Self::watch) has found.
    #[must_use]
    pub fn hung(&self) -> usize {
        self.all().filter(|watched| watched.is_hung()).count()
    }

    /// What tells whether all arbiters are alive, from any thread. It needs the [`watch`](Self::watch).
    #[must_use]
    pub fn ticks(&self) -> ArbiterTicks {
        let ticks = self.all().map(|watched| Arc::clone(&watched.ticks)).collect();
        ArbiterTicks { seen: vec![0; self.workers.len() + 1], ticks }
    }

    /// Starts a thread that asks every arbiter for a sign of life once per `every`. One that gave none
    /// `patience` times in a row counts as hung until it gives one again, be it late: [`of`](Self::of) gives out no
    /// such arbiter, and of the root's `root_hangs` is told. The thread ends with the arbiters.
    ///
    /// Of several watches each has its own patience, and an arbiter is hung while one of them finds it so.
    pub fn watch(&self, every: Duration, patience: u32, root_hangs: impl Fn() + Send + 'static) {
        let watched: Vec<_> = self.all().cloned().collect();
        // Without the thread only the watch is missing; the arbiters themselves work.
        let thread = std::thread::Builder::new().name("arbiters-watch".to_owned());
        if thread.spawn(move || watch(&watched, every, patience, root_hangs)).is_err() {
            tracing::error!("the arbiters are not watched: no thread could be started");
        }
    }
}

/// Whether all arbiters are alive.
#[derive(Debug)]
pub struct ArbiterTicks {
    ticks: Vec<Arc<AtomicU64>>,
    seen: Vec<u64>,
}

impl ArbiterTicks {
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

/// A system of this thread, and so many arbiters of it. Where one can't be started the others have ended.
fn system(count: usize, new: impl Fn() -> io::Result<Arbiter>) -> io::Result<(SystemRunner, Vec<ArbiterHandle>)> {
    let runtime = Runtime::new()?;
    let runner = System::with_tokio_rt(move || runtime);
    let mut arbiters = Vec::with_capacity(count);
    for _ in 0..count {
        match new() {
            Ok(arbiter) => arbiters.push(arbiter),
            Err(error) => {
                for arbiter in arbiters {
                    arbiter.stop();
                    let _ended = arbiter.join();
                }
                return Err(error);
            }
        }
    }
    Ok((runner, arbiters.iter().map(Arbiter::handle).collect()))
}

/// The first of them is the root's.
fn watch(watched: &[WatchedArbiter], every: Duration, patience: u32, root_hangs: impl Fn()) {
    let mut found: Vec<_> = watched.iter().map(|watched| (SilenceCounter::since(watched.signs()), false)).collect();
    while watched.iter().all(WatchedArbiter::ask) {
        #[expect(clippy::disallowed_methods, reason = "a thread of its own, and it must not depend on a runtime")]
        std::thread::sleep(every);
        for (index, (watched, (silence, was_hung))) in watched.iter().zip(&mut found).enumerate() {
            let is_hung = silence.is_hung(watched.signs(), patience);
            if std::mem::replace(was_hung, is_hung) != is_hung {
                watched.found(is_hung);
                if is_hung && index == 0 {
                    root_hangs();
                }
                // Last: a log may be slow where something hangs.
                tracing::error!(arbiter = index, hung = is_hung, "an arbiter changed between hung and alive");
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
        f.debug_struct("Arbiters").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}
