//! What actix does by itself: the reasons for this module, as the module's page tells them.

#![expect(clippy::disallowed_methods, reason = "this is about actors that are started as actix starts them")]

use std::{sync::Arc, time::Duration};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, MailboxError, Message, Running, Supervised};
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    super::{Exit, Liveness, Roster},
    Order, Victim, spawned,
};

/// Writes down what is done to it.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<(&'static str, bool)>>>);

impl Witness {
    fn saw(&self, what: &'static str) {
        self.0.lock().push((what, std::thread::panicking()));
    }

    fn all(&self) -> Vec<(&'static str, bool)> {
        self.0.lock().clone()
    }
}

impl Actor for Witness {
    type Context = Context<Self>;

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        self.saw("stopping");
        Running::Stop
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.saw("stopped");
    }
}

impl Supervised for Witness {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.saw("restarting");
    }
}

impl Handler<Order> for Witness {
    type Result = ();

    fn handle(&mut self, order: Order, ctx: &mut Self::Context) {
        match order {
            Order::Panic | Order::PanicLater => panic!("boom in handler"),
            Order::Stop => ctx.stop(),
        }
    }
}

#[actix::test]
async fn a_panic_runs_stopping_and_stopped_while_it_unwinds() {
    let witness = Witness::default();
    let addr = witness.clone().start();
    assert_eq!(addr.send(Order::Panic).await, Err(MailboxError::Closed));
    assert_eq!(witness.all(), [("stopping", true), ("stopped", true)]);
}

#[actix::test]
async fn a_panic_tells_nobody_but_those_that_wait_for_an_answer() {
    let addr = Victim::default().start();
    let (panicked, behind) = tokio::join!(addr.send(Order::Panic), addr.send(Order::Stop));
    assert_eq!((panicked, behind), (Err(MailboxError::Closed), Err(MailboxError::Closed)));
    // Nothing says that this goes nowhere.
    addr.do_send(Order::Stop);
    assert!(addr.try_send(Order::Stop).is_err(), "this says it");
}

#[actix::test]
async fn a_panic_leaves_the_others_on_its_thread_alone() {
    let (unlucky, other) = (Victim::default().start(), Victim::default().start());
    assert_eq!(unlucky.send(Order::Panic).await, Err(MailboxError::Closed));
    assert_eq!(other.send(Order::Stop).await, Ok(()));
}

/// Panics again while it unwinds. In a process of its own, which is this test once more.
#[cfg(unix)]
#[test]
fn two_panics_at_once_abort_the_process() {
    use std::{os::unix::process::ExitStatusExt, process::Command};
    const CHILD: &str = "SUPERVISION_TEST_ABORTS";
    if std::env::var_os(CHILD).is_some() {
        actix::System::new().block_on(async {
            let _closed = Victim { panics_when_stopping: true }.start().send(Order::Panic).await;
        });
        return;
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let name = format!("{module}::two_panics_at_once_abort_the_process");
    let mut again = Command::new(std::env::current_exe().unwrap());
    let ended = again.args(["--exact", &name]).env(CHILD, "1").output().unwrap();
    assert_eq!(ended.status.signal(), Some(6), "{ended:?}");
}

#[actix::test]
async fn the_supervisor_of_actix_does_not_start_again_what_panicked() {
    let witness = Witness::default();
    let seen = witness.clone();
    let addr = actix::Supervisor::start(move |_| witness);
    assert_eq!(addr.send(Order::Stop).await, Ok(()));
    while !seen.all().contains(&("restarting", false)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(addr.send(Order::Panic).await, Err(MailboxError::Closed));
    assert_eq!(seen.all().iter().filter(|(what, _)| *what == "restarting").count(), 1, "after the stop");
    assert_eq!(addr.send(Order::Stop).await, Err(MailboxError::Closed));
}

/// Says something every millisecond.
struct Orphan(UnboundedSender<()>);

impl Actor for Orphan {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(1), |orphan, _| {
            let _unheard = orphan.0.send(());
        });
    }
}

/// Has a child as one would have it without supervision.
struct Parent {
    _child: Addr<Orphan>,
}

impl Actor for Parent {
    type Context = Context<Self>;
}

impl Handler<Order> for Parent {
    type Result = ();

    fn handle(&mut self, _: Order, _: &mut Self::Context) {
        panic!("boom");
    }
}

async fn still_speaks(mut said: UnboundedReceiver<()>) {
    while said.try_recv().is_ok() {}
    assert_eq!(said.recv().await, Some(()));
}

#[actix::test]
async fn an_actor_with_a_live_future_outlives_its_addresses() {
    let (say, said) = unbounded_channel();
    drop(Orphan(say).start());
    still_speaks(said).await;
}

#[actix::test]
async fn the_child_of_a_parent_that_panicked_runs_on() {
    let (say, said) = unbounded_channel();
    let parent = Parent { _child: Orphan(say).start() }.start();
    assert_eq!(parent.send(Order::Panic).await, Err(MailboxError::Closed));
    still_speaks(said).await;
}

/// Takes everything.
#[derive(Default)]
struct Sink;

impl Actor for Sink {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Drop;

impl Handler<Drop> for Sink {
    type Result = ();

    fn handle(&mut self, _: Drop, _: &mut Self::Context) {}
}

#[actix::test]
async fn the_capacity_of_a_mailbox_holds_nobody_back() {
    let addr = Sink.start();
    while addr.try_send(Drop).is_ok() {}
    assert!(matches!(addr.try_send(Drop), Err(actix::prelude::SendError::Full(_))));
    for _ in 0..10_000 {
        assert!(addr.clone().try_send(Drop).is_ok(), "each clone of an address has a room of its own");
        addr.do_send(Drop);
    }
}

/// Waits for what never comes.
struct Waiting;

impl Actor for Waiting {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.wait(actix::fut::wrap_future(std::future::pending()));
    }
}

impl Handler<super::Ping> for Waiting {
    type Result = ();

    fn handle(&mut self, ping: super::Ping, _: &mut Self::Context) {
        ping.answer();
    }
}

#[actix::test]
async fn an_actor_that_waits_does_not_read_its_mailbox() {
    let (mut child, told) = spawned(&Roster::new(), Waiting);
    for found in [Liveness::Alive, Liveness::Missed(1), Liveness::Hung] {
        assert_eq!(child.beat(2), found);
        tokio::task::yield_now().await;
    }
    assert_eq!(super::only(told).await, Exit::Hung);
}

/// Writes down that it was started.
struct Starting(Arc<Mutex<bool>>);

impl Actor for Starting {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        *self.0.lock() = true;
    }
}

#[actix::test]
async fn an_actor_that_is_dropped_before_its_first_turn_is_started_all_the_same() {
    let started = Arc::new(Mutex::new(false));
    let context = Context::new();
    let _address = context.address();
    drop(context.into_future(Starting(Arc::clone(&started))));
    assert!(*started.lock());
}
