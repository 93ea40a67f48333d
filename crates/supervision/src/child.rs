//! Starting actors, and holding them.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{Actor, Addr, AsyncContext, Context, Handler, dev::channel};
use actix_rt::ArbiterHandle;
use tracing::Span;

use super::{
    Beat, Exit, Ping, Roster,
    monitored::{Monitored, Notice, Switch},
    pulse::Pulse,
    roster::Presence,
};

/// The capacity of a child's mailbox. actix does not hold `do_send` to it: what bounds a mailbox is that
/// senders hold credits.
const MAILBOX: usize = 16;

/// An actor that somebody answers for. Dropping it kills the actor before its next turn.
///
/// ```
/// use actix::{Actor, Context, Handler};
/// use antiphon_supervision::{Beat, Exit, Ping, Roster, spawn};
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
///         // One that hears would say `ping.answer()`.
///     }
/// }
///
/// actix::System::new().block_on(async {
///     let (tell, told) = tokio::sync::oneshot::channel();
///     let mut child = spawn(&Roster::new(), "deaf", |_| Deaf, |exit| drop(tell.send(exit)));
///     // A parent does this on a timer.
///     let beats = [child.beat(2), child.beat(2), child.beat(2)];
///     assert_eq!(beats, [Beat::Alive, Beat::Missed(1), Beat::Hung]);
///     assert_eq!(told.await, Ok(Exit::Hung));
/// });
/// ```
pub struct Child<A: Actor<Context = Context<A>>> {
    addr: Addr<A>,
    switch: Arc<Switch>,
    pulse: Pulse,
}

impl<A: Actor<Context = Context<A>>> Child<A> {
    /// Where to send messages.
    #[must_use]
    pub fn addr(&self) -> &Addr<A> {
        &self.addr
    }

    /// One heartbeat: asks the actor whether it still reads its mailbox, and says whether it has answered the last
    /// time. One that has missed `patience` beats in a row is killed; its ending is [`Exit::Hung`]. An actor that
    /// blocks its thread can't be killed: its ending is told when the thread comes back, so don't wait for it.
    pub fn beat(&mut self, patience: u32) -> Beat
    where
        A: Handler<Ping>,
    {
        let (beat, ping) = self.pulse.beat(patience);
        if let Some(ping) = ping {
            self.addr.do_send(ping);
        }
        if beat == Beat::Hung {
            self.switch.kill(Exit::Hung);
        }
        beat
    }
}

impl<A: Actor<Context = Context<A>>> Drop for Child<A> {
    fn drop(&mut self) {
        self.switch.kill(Exit::Killed);
    }
}

impl<A: Actor<Context = Context<A>>> fmt::Debug for Child<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("connected", &self.addr.connected()).finish_non_exhaustive()
    }
}

/// Starts an actor on the current arbiter. It is on the roster at once, and `build` makes it at once; a panic in
/// `build` is an ending like others. `exit` is told the ending, once, after the actor is dropped and off the roster.
/// What the actor logs is in the caller's span.
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
    build: impl FnOnce(&mut Context<A>) -> A,
    exit: impl FnOnce(Exit) + Send + 'static,
) -> Child<A> {
    let context = Context::new();
    let addr = context.address();
    let switch = Arc::new(Switch::default());
    let presence = roster.enter(label, Arc::clone(&switch));
    run(context, build, Entered { presence, switch: Arc::clone(&switch), span: Span::current() }, Notice::new(exit));
    Child { addr, switch, pulse: Pulse::default() }
}

/// Starts an actor on another arbiter, from any thread; its address works at once, and `build` makes it there. If the
/// arbiter is gone the ending is [`Exit::Killed`]. What the actor logs is in the span beside its label: the thread that
/// it lives on has no current one. Otherwise as [`spawn`]; [`Arbiters`](super::Arbiters) has an example.
pub fn spawn_on<A: Actor<Context = Context<A>>, L: Send + 'static>(
    arbiter: &ArbiterHandle,
    roster: &Roster<L>,
    (label, span): (L, Span),
    build: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
    exit: impl FnOnce(Exit) + Send + 'static,
) -> Child<A> {
    let (sender, receiver) = channel::channel(MAILBOX);
    let addr = Addr::new(sender);
    let switch = Arc::new(Switch::default());
    let presence = roster.enter(label, Arc::clone(&switch));
    let (notice, entered) = (Notice::new(exit), Entered { presence, switch: Arc::clone(&switch), span });
    // A closure that the arbiter never runs is dropped, and the notice in it tells the parent.
    arbiter.spawn_fn(move || run(Context::with_receiver(receiver), build, entered, notice));
    Child { addr, switch, pulse: Pulse::default() }
}

/// An actor that is on the roster and not yet alive.
struct Entered<L> {
    presence: Presence<L>,
    switch: Arc<Switch>,
    span: Span,
}

fn run<A: Actor<Context = Context<A>>, L: 'static>(
    mut context: Context<A>,
    build: impl FnOnce(&mut Context<A>) -> A,
    Entered { presence, switch, span }: Entered<L>,
    mut notice: Notice,
) {
    match catch_unwind(AssertUnwindSafe(|| span.in_scope(|| build(&mut context)))) {
        Ok(actor) => {
            let life = Monitored::new(context.into_future(actor), switch, presence, notice, span);
            #[expect(clippy::disallowed_methods, reason = "the one place that starts actors")]
            actix_rt::spawn(life);
        }
        Err(panic) => {
            drop(presence);
            notice.tell(Exit::of_panic(&*panic));
        }
    }
}
