//! The future that an actor lives in.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use actix::{Actor, dev::ContextFut};
use parking_lot::Mutex;

#[cfg(feature = "fault-injection")]
use super::roster::Fault;
use super::{Exit, roster::Presence};

/// A parent's hand on a child: works from every thread.
#[derive(Debug, Default)]
pub(super) struct Switch {
    state: Mutex<SwitchState>,
    #[cfg(feature = "fault-injection")]
    struck: tokio::sync::watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct SwitchState {
    kill: Option<Exit>,
    waker: Option<Waker>,
    #[cfg(feature = "fault-injection")]
    fault: Option<Fault>,
}

impl Switch {
    /// Ends the child with this exit before its next turn. The first cause is kept.
    pub(super) fn kill(&self, exit: Exit) {
        let waker = {
            let mut state = self.state.lock();
            state.kill.get_or_insert(exit);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn killed(&self, waker: &Waker) -> Option<Exit> {
        let mut state = self.state.lock();
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        state.kill.clone()
    }

    #[cfg(feature = "fault-injection")]
    pub(super) fn inflict(&self, fault: Fault) {
        let waker = {
            let mut state = self.state.lock();
            state.fault = Some(fault);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    #[cfg(feature = "fault-injection")]
    fn fault(&self) -> Option<Fault> {
        let fault = self.state.lock().fault;
        if matches!(fault, Some(Fault::Hang | Fault::Block)) {
            self.struck.send_replace(true);
        }
        fault
    }

    /// Waits until an inflicted fault shows: the actor hangs, or has ended.
    #[cfg(feature = "fault-injection")]
    pub(super) async fn struck(&self) {
        // The sender is this switch's own.
        let mut struck = self.struck.subscribe();
        let _struck = struck.wait_for(|struck| *struck).await;
    }
}

/// Tells the parent exactly once, also if the task is aborted or its arbiter is gone.
pub(super) struct Notice(Option<Box<dyn FnOnce(Exit) + Send>>);

impl Notice {
    pub(super) fn new(tell: impl FnOnce(Exit) + Send + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    pub(super) fn tell(&mut self, exit: Exit) {
        if let Some(tell) = self.0.take() {
            tell(exit);
        }
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        self.tell(Exit::Killed);
    }
}

/// Polls an actor's context and turns whatever happens into an [`Exit`].
pub(super) struct Monitored<A: Actor<Context = actix::Context<A>>, L> {
    context: Option<ContextFut<A, actix::Context<A>>>,
    switch: Arc<Switch>,
    // Declared before the notice: the actor is off the roster when its parent hears of the ending.
    presence: Option<Presence<L>>,
    notice: Notice,
    span: tracing::Span,
}

impl<A: Actor<Context = actix::Context<A>>, L> Monitored<A, L> {
    pub(super) fn new(
        context: ContextFut<A, actix::Context<A>>,
        switch: Arc<Switch>,
        presence: Presence<L>,
        notice: Notice,
        span: tracing::Span,
    ) -> Self {
        Self { context: Some(context), switch, presence: Some(presence), notice, span }
    }

    /// Dropping a context runs the actor's `stopping` and `stopped`, and these may panic too.
    fn end(&mut self, exit: Exit) {
        let context = self.context.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(context)));
        self.presence = None;
        #[cfg(feature = "fault-injection")]
        self.switch.struck.send_replace(true);
        self.notice.tell(match (exit, dropped) {
            (Exit::Stopped, Err(panic)) => Exit::of_panic(&*panic),
            (exit, _) => exit,
        });
    }

    fn turn(&mut self, task: &mut Context<'_>) -> Poll<Exit> {
        if let Some(exit) = self.switch.killed(task.waker()) {
            return Poll::Ready(exit);
        }
        #[cfg(feature = "fault-injection")]
        match self.switch.fault() {
            Some(Fault::Hang) => return Poll::Pending,
            Some(Fault::Block) => loop {
                std::thread::park();
            },
            Some(Fault::Stop) => return Poll::Ready(Exit::Stopped),
            Some(Fault::Panic) => {
                let panic = catch_unwind(|| std::panic::resume_unwind(Box::new("an inflicted panic")));
                return Poll::Ready(panic.map_or_else(|panic| Exit::of_panic(&*panic), |()| Exit::Stopped));
            }
            None => {}
        }
        let Some(context) = &mut self.context else { return Poll::Ready(Exit::Stopped) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(context).poll(task))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(Exit::Stopped),
            Err(panic) => Poll::Ready(Exit::of_panic(&*panic)),
        }
    }
}

impl<A: Actor<Context = actix::Context<A>>, L> Future for Monitored<A, L> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let span = self.span.clone();
        let _in_span = span.enter();
        self.turn(task).map(|exit| self.end(exit))
    }
}

impl<A: Actor<Context = actix::Context<A>>, L> Drop for Monitored<A, L> {
    fn drop(&mut self) {
        if self.context.is_some() {
            self.end(Exit::Killed);
        }
    }
}
