//! The future that an actor lives in.

use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use actix::{Actor, dev::ContextFut};
use parking_lot::Mutex;

use super::{Exit, heartbeat::TurnCounter, roster::RosterEntry};

/// What a parent and its child share, from whatever threads.
#[derive(Debug, Default)]
pub(super) struct ChildLink {
    pub(super) kill_switch: KillSwitch,
    pub(super) turns: TurnCounter,
}

/// Ends a child from any thread.
#[derive(Debug, Default)]
pub(super) struct KillSwitch(Mutex<KillSwitchState>);

#[derive(Default)]
struct KillSwitchState {
    exit: Option<Exit>,
    waker: Option<Waker>,
    /// Gives up the start of an actor that waits for its thread.
    give_up: Option<Box<dyn FnOnce(Exit) + Send>>,
}

impl fmt::Debug for KillSwitchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KillSwitchState").field("exit", &self.exit).finish_non_exhaustive()
    }
}

impl KillSwitch {
    /// Ends the child with this exit before its next turn, or at once if it has had none. The first cause is kept.
    pub(super) fn kill(&self, exit: Exit) {
        let give_up = {
            let mut state = self.0.lock();
            state.exit.get_or_insert(exit.clone());
            state.give_up.take()
        };
        match give_up {
            Some(give_up) => give_up(exit),
            None => self.wake(),
        }
    }

    /// Sets what a kill does before the child's first turn.
    pub(super) fn give_up_by(&self, give_up: impl FnOnce(Exit) + Send + 'static) {
        self.0.lock().give_up = Some(Box::new(give_up));
    }

    /// Gives the child a turn as soon as its thread can.
    pub(super) fn wake(&self) {
        let waker = self.0.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn killed(&self, waker: &Waker) -> Option<Exit> {
        let mut state = self.0.lock();
        state.give_up = None;
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        state.exit.clone()
    }
}

/// Reports an exit to the parent exactly once, also if the task is aborted or its arbiter is gone.
pub(super) struct ExitNotice(Option<Box<dyn FnOnce(Exit) + Send>>);

impl ExitNotice {
    pub(super) fn new(report: impl FnOnce(Exit) + Send + 'static) -> Self {
        Self(Some(Box::new(report)))
    }

    pub(super) fn send(&mut self, exit: Exit) {
        if let Some(report) = self.0.take() {
            report(exit);
        }
    }
}

impl Drop for ExitNotice {
    fn drop(&mut self) {
        self.send(Exit::Killed);
    }
}

/// An actor that is on the roster, and who is told its ending.
pub(super) struct Supervised<L> {
    pub(super) link: Arc<ChildLink>,
    // Declared before the notice: the actor is off the roster when its parent is told of the ending.
    pub(super) entry: Option<RosterEntry<L>>,
    pub(super) notice: ExitNotice,
    pub(super) span: tracing::Span,
}

impl<L> Supervised<L> {
    /// Reports the ending of an actor that is dropped.
    pub(super) fn end(&mut self, exit: Exit) {
        self.entry = None;
        self.notice.send(exit);
    }
}

/// An actor that is built in its first turn: of one that is ended before that, nothing ever runs. actix would run
/// `started` of an actor that was built when it is dropped.
pub(super) struct Unborn<A: Actor<Context = actix::Context<A>>, B> {
    start: Option<(actix::Context<A>, B)>,
    actor: Option<ContextFut<A, actix::Context<A>>>,
}

impl<A: Actor<Context = actix::Context<A>>, B> Unborn<A, B> {
    pub(super) fn new(context: actix::Context<A>, build: B) -> Self {
        Self { start: Some((context, build)), actor: None }
    }
}

// Nothing of it is pinned where it is.
impl<A: Actor<Context = actix::Context<A>>, B> Unpin for Unborn<A, B> {}

impl<A, B> Future for Unborn<A, B>
where
    A: Actor<Context = actix::Context<A>>,
    B: FnOnce(&mut actix::Context<A>) -> A,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        if let Some((mut context, build)) = self.start.take() {
            let actor = build(&mut context);
            self.actor = Some(context.into_future(actor));
        }
        self.actor.as_mut().map_or(Poll::Ready(()), |actor| Pin::new(actor).poll(task))
    }
}

/// Polls an actor's future and turns whatever happens into an [`Exit`].
pub(super) struct Monitored<F, L> {
    actor: Option<F>,
    supervised: Supervised<L>,
}

impl<F: Future<Output = ()> + Unpin, L> Monitored<F, L> {
    pub(super) fn new(actor: F, supervised: Supervised<L>) -> Self {
        Self { actor: Some(actor), supervised }
    }

    fn turn(&mut self, task: &mut Context<'_>) -> Poll<Exit> {
        if let Some(exit) = self.supervised.link.kill_switch.killed(task.waker()) {
            return Poll::Ready(exit);
        }
        let Some(actor) = &mut self.actor else { return Poll::Ready(Exit::Stopped) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(actor).poll(task))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(Exit::Stopped),
            Err(panic) => Poll::Ready(Exit::of_panic(&*panic)),
        }
    }
}

impl<F, L> Monitored<F, L> {
    /// Drops the actor, which runs its `stopping` and `stopped`; these may panic too.
    fn end(&mut self, exit: Exit) {
        let actor = self.actor.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(actor)));
        self.supervised.end(match (exit, dropped) {
            (Exit::Stopped, Err(panic)) => Exit::of_panic(&*panic),
            (exit, _) => exit,
        });
    }
}

impl<F: Future<Output = ()> + Unpin, L> Future for Monitored<F, L> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let link = Arc::clone(&self.supervised.link);
        let span = self.supervised.span.clone();
        let _in_span = span.enter();
        link.turns.begin();
        let turn = self.turn(task).map(|exit| self.end(exit));
        link.turns.end();
        turn
    }
}

impl<F, L> Drop for Monitored<F, L> {
    fn drop(&mut self) {
        if self.actor.is_some() {
            self.end(Exit::Killed);
        }
    }
}
