//! Starting actors, and holding them.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{
    Actor, Addr, AsyncContext, Context, Handler,
    dev::channel::{self, AddressReceiver},
};
use actix_rt::ArbiterHandle;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::Span;

use super::{
    Exit, Liveness, Ping, Roster,
    heartbeat::HeartbeatMonitor,
    monitored::{ChildLink, ExitNotice, Monitored, Supervised, Unborn},
};

/// The capacity of a child's mailbox. actix does not hold `do_send` to it: what bounds a mailbox is that
/// senders hold credits.
const MAILBOX: usize = 16;

/// An actor that somebody answers for. Dropping it kills the actor before its next turn.
///
/// ```
/// use actix::{Actor, Context, Handler};
/// use antiphon_supervision::{Exit, Liveness, Ping, Roster, spawn};
///
/// struct Deaf;
///
/// impl Actor for Deaf {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Ping> for Deaf {
///     type Result = ();
///
///     fn handle(&mut self, _: Ping, _: &mut Self::Context) {
///         // One that is well would call `ping.answer()`.
///     }
/// }
///
/// actix::System::new().block_on(async {
///     let (tell, told) = tokio::sync::oneshot::channel();
///     let mut child = spawn(&Roster::new(), "deaf", |_| Deaf, |exit| drop(tell.send(exit)));
///     // A parent does this on a timer.
///     for found in [Liveness::Alive, Liveness::Missed(1), Liveness::Hung] {
///         assert_eq!(child.beat(2), found);
///         tokio::task::yield_now().await;
///     }
///     assert_eq!(told.await, Ok(Exit::Hung));
/// });
/// ```
pub struct Child<A: Actor<Context = Context<A>>> {
    addr: Addr<A>,
    link: Arc<ChildLink>,
    heartbeat: HeartbeatMonitor,
}

impl<A: Actor<Context = Context<A>>> Child<A> {
    /// Where to send messages.
    #[must_use]
    pub fn addr(&self) -> &Addr<A> {
        &self.addr
    }

    /// Asks the actor whether it still reads its mailbox, and says whether it has answered the last time. One that has
    /// missed `patience` beats in a row is killed; its ending is [`Exit::Hung`].
    ///
    /// A beat is missed only if the actor had a turn since the last one that counted, so a parent may beat as often and
    /// as fast as it likes, and catch up on beats after a stall of its thread. Where the actor's own thread, not the
    /// parent's, gives it no turn, beats count that are 10 ms apart. An actor that blocks its thread can't be
    /// killed: its ending is reported when the thread comes back, so don't wait for it.
    pub fn beat(&mut self, patience: u32) -> Liveness
    where
        A: Handler<Ping>,
    {
        let now = Instant::now();
        let found = self.heartbeat.check(self.link.turns.so_far(), now, patience);
        match found {
            Liveness::Waiting => return found,
            Liveness::Alive => self.addr.do_send(self.heartbeat.ping()),
            Liveness::Missed(_) => {}
            Liveness::Hung => self.link.kill_switch.kill(Exit::Hung),
        }
        // After the ping: a turn that began before may not have seen it.
        self.heartbeat.counted(self.link.turns.so_far(), now);
        self.link.kill_switch.wake();
        found
    }
}

impl<A: Actor<Context = Context<A>>> Drop for Child<A> {
    fn drop(&mut self) {
        self.link.kill_switch.kill(Exit::Killed);
    }
}

impl<A: Actor<Context = Context<A>>> fmt::Debug for Child<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("connected", &self.addr.connected()).finish_non_exhaustive()
    }
}

/// Who an actor is that is started on another arbiter.
#[derive(Debug, Clone)]
pub struct ActorIdentity<L = &'static str> {
    /// What it is called on the roster.
    pub label: L,
    /// The span of what it logs: the thread that it lives on has no current one.
    pub span: Span,
}

/// Starts an actor on the current arbiter. It is on the roster at once, and `build` makes it in its first turn: one that
/// is killed before that is never made, and what `build` holds is dropped. A panic in `build` is an ending like others.
/// `exit` is called with the ending, once, after the actor is dropped and off the roster. What the actor logs is in the
/// caller's span.
///
/// ```
/// use actix::{Actor, Context};
/// use antiphon_supervision::{Exit, Roster, spawn};
///
/// struct Idle;
/// impl Actor for Idle {
///     type Context = Context<Self>;
/// }
///
/// actix::System::new().block_on(async {
///     let (tell, told) = tokio::sync::oneshot::channel();
///     let child = spawn(&Roster::new(), "idle", |_| Idle, |exit| drop(tell.send(exit)));
///     drop(child);
///     assert_eq!(told.await, Ok(Exit::Killed));
/// });
/// ```
///
/// # Panics
/// Outside of an arbiter (a `LocalSet`).
pub fn spawn<A: Actor<Context = Context<A>>, L: Send + 'static>(
    roster: &Roster<L>,
    label: L,
    build: impl FnOnce(&mut Context<A>) -> A + 'static,
    exit: impl FnOnce(Exit) + Send + 'static,
) -> Child<A> {
    let context = Context::new();
    let addr = context.address();
    let (supervised, link) = enter(roster, ActorIdentity { label, span: Span::current() }, exit);
    run(context, build, supervised);
    Child { addr, link, heartbeat: HeartbeatMonitor::default() }
}

/// Starts an actor on another arbiter, from any thread; its address works at once, and `build` makes it there. If the
/// arbiter is gone the ending is [`Exit::Killed`]. One that is killed while it waits for its thread, which may be blocked,
/// has ended at once: its messages and what `build` holds are dropped by whoever kills it. Otherwise as [`spawn`];
/// [`Arbiters`](super::Arbiters) has an example.
pub fn spawn_on<A: Actor<Context = Context<A>>, L: Send + 'static>(
    arbiter: &ArbiterHandle,
    roster: &Roster<L>,
    identity: ActorIdentity<L>,
    build: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
    exit: impl FnOnce(Exit) + Send + 'static,
) -> Child<A> {
    let (sender, receiver) = channel::channel(MAILBOX);
    let addr = Addr::new(sender);
    let (supervised, link) = enter(roster, identity, exit);
    let start = QueuedStart(Arc::new(Mutex::new(Some((receiver, build, supervised)))));
    let queued = start.clone();
    link.kill_switch.give_up_by(move |exit| queued.give_up(exit));
    let start = GivenUpOnDrop(start);
    arbiter.spawn_fn(move || start.0.run());
    Child { addr, link, heartbeat: HeartbeatMonitor::default() }
}

/// The start of an actor that waits for its thread. It is carried out there, or given up from anywhere.
#[expect(clippy::type_complexity, reason = "a start is these three")]
struct QueuedStart<A: Actor<Context = Context<A>>, B, L>(Arc<Mutex<Option<(AddressReceiver<A>, B, Supervised<L>)>>>);

impl<A: Actor<Context = Context<A>>, B, L> Clone for QueuedStart<A, B, L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A, B, L> QueuedStart<A, B, L>
where
    A: Actor<Context = Context<A>>,
    B: FnOnce(&mut Context<A>) -> A + 'static,
    L: 'static,
{
    fn run(&self) {
        let start = self.0.lock().take();
        if let Some((receiver, build, supervised)) = start {
            run(Context::with_receiver(receiver), build, supervised);
        }
    }
}

impl<A: Actor<Context = Context<A>>, B, L> QueuedStart<A, B, L> {
    fn give_up(&self, exit: Exit) {
        let start = self.0.lock().take();
        if let Some((receiver, build, mut supervised)) = start {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop((receiver, build))));
            supervised.end(dropped.map_or_else(|panic| Exit::of_panic(&*panic), |()| exit));
        }
    }
}

/// What an arbiter is given to run. One that is gone drops it.
struct GivenUpOnDrop<A: Actor<Context = Context<A>>, B, L>(QueuedStart<A, B, L>);

impl<A: Actor<Context = Context<A>>, B, L> Drop for GivenUpOnDrop<A, B, L> {
    fn drop(&mut self) {
        self.0.give_up(Exit::Killed);
    }
}

/// Puts an actor on the roster that is not yet alive.
fn enter<L>(
    roster: &Roster<L>,
    identity: ActorIdentity<L>,
    exit: impl FnOnce(Exit) + Send + 'static,
) -> (Supervised<L>, Arc<ChildLink>) {
    let link = Arc::new(ChildLink::default());
    let supervised = Supervised {
        link: Arc::clone(&link),
        entry: Some(roster.enter(identity.label)),
        notice: ExitNotice::new(exit),
        span: identity.span,
    };
    (supervised, link)
}

fn run<A: Actor<Context = Context<A>>, L: 'static>(
    context: Context<A>,
    build: impl FnOnce(&mut Context<A>) -> A + 'static,
    supervised: Supervised<L>,
) {
    let actor = Unborn::new(context, build);
    #[cfg(feature = "fault-injection")]
    let actor = supervised.with_faults(actor);
    #[expect(clippy::disallowed_methods, reason = "the one place that starts actors")]
    actix_rt::spawn(Monitored::new(actor, supervised));
}
