//! Faults that a test inflicts on an actor from outside, whatever the actor does.

use std::{
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Roster, monitored::Supervised, roster::LiveActor};

/// What a test can do to an actor from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It panics at its next turn.
    Panic,
    /// It stops, without a word to anybody.
    Stop,
    /// It never takes another turn.
    Hang,
    /// It blocks the thread that it lives on, for good.
    Block,
}

/// What the roster and the wrapper around an actor share.
#[derive(Debug, Default)]
struct FaultState {
    inflicted: Mutex<Inflicted>,
    shows: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inflicted {
    fault: Option<Fault>,
    waker: Option<Waker>,
}

impl FaultState {
    fn inflict(&self, fault: Fault) {
        let waker = {
            let mut inflicted = self.inflicted.lock();
            inflicted.fault = Some(fault);
            inflicted.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn fault(&self, waker: &Waker) -> Option<Fault> {
        let mut inflicted = self.inflicted.lock();
        inflicted.waker = Some(waker.clone());
        inflicted.fault
    }
}

/// The roster's hand on one actor. The fault shows at the latest when the actor leaves the roster.
#[derive(Debug, Default)]
pub(super) struct FaultSwitch(Arc<FaultState>);

impl Drop for FaultSwitch {
    fn drop(&mut self) {
        self.0.shows.send_replace(true);
    }
}

/// An actor's future on which faults can be inflicted.
pub(super) struct FaultyFuture<F> {
    actor: F,
    faults: Arc<FaultState>,
}

impl<F: Future<Output = ()> + Unpin> Future for FaultyFuture<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let Some(fault) = self.faults.fault(task.waker()) else { return Pin::new(&mut self.actor).poll(task) };
        match fault {
            Fault::Panic => resume_unwind(Box::new("an inflicted panic")),
            Fault::Stop => Poll::Ready(()),
            Fault::Hang => {
                self.faults.shows.send_replace(true);
                Poll::Pending
            }
            Fault::Block => {
                self.faults.shows.send_replace(true);
                loop {
                    std::thread::park();
                }
            }
        }
    }
}

impl<L> Supervised<L> {
    /// Has the faults that are inflicted by the roster reach this actor.
    pub(super) fn with_faults<F>(&self, actor: F) -> FaultyFuture<F> {
        let faults = self.entry.as_ref().and_then(|entry| entry.actor(|live| Arc::clone(&live.faults.0)));
        FaultyFuture { actor, faults: faults.unwrap_or_default() }
    }
}

impl<L: PartialEq> Roster<L> {
    /// Inflicts a fault on every live actor with that label, waits until it shows, and says on how many.
    pub async fn inflict(&self, label: L, fault: Fault) -> usize {
        let hit = self.find(|live: &LiveActor<L>| (live.label == label).then(|| Arc::clone(&live.faults.0)));
        for faults in &hit {
            faults.inflict(fault);
            let mut shows = faults.shows.subscribe();
            // It can't fail: the sender is here.
            let _shows = shows.wait_for(|shows| *shows).await;
        }
        hit.len()
    }
}
