#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use actix::{Actor, Context, Handler, Message};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Arbiters, Beat, Child, Exit, Fault, Ping, Roster, spawn, spawn_on};

struct Victim {
    panic_when_stopping: bool,
}

impl Actor for Victim {
    type Context = Context<Self>;

    fn stopping(&mut self, _: &mut Self::Context) -> actix::Running {
        assert!(!self.panic_when_stopping, "boom while stopping");
        actix::Running::Stop
    }
}

#[derive(Message)]
#[rtype(result = "()")]
enum Order {
    Panic,
    PanicLater,
    Stop,
}

impl Handler<Order> for Victim {
    type Result = ();

    fn handle(&mut self, order: Order, ctx: &mut Self::Context) {
        use actix::{ActorContext, AsyncContext};
        match order {
            Order::Panic => panic!("boom in handler"),
            Order::PanicLater => {
                ctx.spawn(actix::fut::wrap_future(async { panic!("boom in future") }));
            }
            Order::Stop => ctx.stop(),
        }
    }
}

impl Handler<Ping> for Victim {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}

const LABEL: &str = "victim";

fn victim(roster: &Roster, panic_when_stopping: bool) -> (Child<Victim>, UnboundedReceiver<Exit>) {
    let (tell, told) = unbounded_channel();
    let child = spawn(roster, LABEL, move |_| Victim { panic_when_stopping }, move |exit| drop(tell.send(exit)));
    (child, told)
}

/// What the parent was told, which must be exactly one thing.
async fn only(mut told: UnboundedReceiver<Exit>) -> Exit {
    let exit = told.recv().await.unwrap();
    assert_eq!(told.recv().await, None, "one ending, one notice");
    exit
}

#[actix::test]
async fn a_parent_is_told_every_ending_once() {
    let roster = Roster::new();
    for (order, expected) in [
        (Order::Panic, Exit::Panicked("boom in handler".into())),
        (Order::PanicLater, Exit::Panicked("boom in future".into())),
        (Order::Stop, Exit::Stopped),
    ] {
        let (child, told) = victim(&roster, false);
        child.addr().do_send(order);
        assert_eq!(only(told).await, expected);
    }
    assert!(roster.live().is_empty());
}

#[actix::test]
async fn a_second_panic_while_unwinding_does_not_end_the_process() {
    let (child, told) = victim(&Roster::new(), true);
    child.addr().do_send(Order::Panic);
    assert_eq!(only(told).await, Exit::Panicked("boom in handler".into()));
}

#[actix::test]
async fn a_panic_while_stopping_is_the_ending() {
    let (child, told) = victim(&Roster::new(), true);
    child.addr().do_send(Order::Stop);
    assert_eq!(only(told).await, Exit::Panicked("boom while stopping".into()));
}

#[actix::test]
async fn a_dropped_child_is_killed() {
    let (child, told) = victim(&Roster::new(), false);
    drop(child);
    assert_eq!(only(told).await, Exit::Killed);
}

#[actix::test]
async fn a_panic_in_the_constructor_is_the_ending() {
    let (tell, told) = unbounded_channel();
    let roster = Roster::new();
    let build = |_: &mut Context<Victim>| -> Victim { panic!("boom at birth") };
    let _child = spawn(&roster, LABEL, build, move |exit| drop(tell.send(exit)));
    assert_eq!(only(told).await, Exit::Panicked("boom at birth".into()));
    assert!(roster.live().is_empty());
}

#[actix::test]
async fn an_actor_that_does_not_read_its_mailbox_misses_its_beats() {
    let roster = Roster::new();
    let (mut child, told) = victim(&roster, false);
    assert_eq!(child.beat(2), Beat::Alive);
    tokio::task::yield_now().await;
    assert_eq!(child.beat(2), Beat::Alive);
    assert_eq!(roster.inflict(LABEL, Fault::Hang).await, 1);
    assert_eq!(child.beat(2), Beat::Missed(1));
    assert_eq!(child.beat(2), Beat::Hung);
    assert_eq!(only(told).await, Exit::Hung);
}

#[actix::test]
async fn inflicted_faults_are_endings_like_others() {
    let roster = Roster::new();
    for (fault, expected) in [(Fault::Panic, Exit::Panicked("an inflicted panic".into())), (Fault::Stop, Exit::Stopped)]
    {
        let (_child, told) = victim(&roster, false);
        tokio::task::yield_now().await;
        roster.inflict(LABEL, fault).await;
        assert_eq!(only(told).await, expected);
    }
}

#[tokio::test]
async fn another_arbiter_needs_no_system_of_the_caller() {
    let arbiters = Arbiters::start(2).unwrap();
    let roster = Roster::new();
    let on = |id: u64| {
        let (tell, told) = unbounded_channel();
        let build = |_: &mut Context<Victim>| Victim { panic_when_stopping: false };
        (
            spawn_on(arbiters.of(id).unwrap(), &roster, (LABEL, tracing::Span::none()), build, move |exit| {
                drop(tell.send(exit))
            }),
            told,
        )
    };
    let (child, told) = on(7);
    child.addr().do_send(Order::Panic);
    assert_eq!(only(told).await, Exit::Panicked("boom in handler".into()));
    let (_survivor, told) = on(7);
    drop(arbiters);
    assert_eq!(only(told).await, Exit::Killed, "an arbiter that is gone takes its actors along");
}

#[tokio::test]
async fn a_blocked_arbiter_gets_no_new_response_until_it_lives_again() {
    let arbiters = Arbiters::start(2).unwrap();
    let (block, blocked) = std::sync::mpsc::channel::<()>();
    arbiters.of(7).unwrap().spawn_fn(move || {
        let _unblocked = blocked.recv();
    });
    arbiters.watch(std::time::Duration::from_millis(5), 3, || {});
    while arbiters.hung() != 1 {
        tokio::task::yield_now().await;
    }
    let (reached, mut runs) = unbounded_channel();
    for _ in 0..32 {
        let reached = reached.clone();
        arbiters.of(7).unwrap().spawn_fn(move || {
            let _heard = reached.send(());
        });
        assert_eq!(runs.recv().await, Some(()));
    }
    drop(block);
    while arbiters.hung() != 0 {
        tokio::task::yield_now().await;
    }
}
