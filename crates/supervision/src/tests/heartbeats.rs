use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};
use tracing::Span;

use super::{
    super::{ActorIdentity, Arbiters, Child, Liveness, Roster, spawn, spawn_on},
    PATIENCE, Victim,
};

const INTERVAL: Duration = Duration::from_millis(1);

/// Beats at an interval, which actix catches up on after a stall: many beats in one turn.
struct IntervalParent {
    child: Child<Victim>,
    found: UnboundedSender<Liveness>,
}

impl Actor for IntervalParent {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(INTERVAL, |parent, _| {
            let _left = parent.found.send(parent.child.beat(3));
        });
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stall;

impl Handler<Stall> for IntervalParent {
    type Result = ();

    #[expect(clippy::disallowed_methods, reason = "a thread that stalls is what this is about")]
    fn handle(&mut self, _: Stall, _: &mut Self::Context) {
        std::thread::sleep(100 * INTERVAL);
    }
}

async fn a_healthy_child_outlives_a_stall_of_its_parent(child: Child<Victim>) {
    let (sender, mut found) = unbounded_channel();
    let parent = spawn(&Roster::new(), "parent", |_| IntervalParent { child, found: sender }, |_| {});
    assert_eq!(found.recv().await, Some(Liveness::Alive));
    assert_eq!(parent.addr().send(Stall).await, Ok(()));
    let mut beats = Vec::new();
    while beats.iter().filter(|beat| **beat == Liveness::Alive).count() < 3 {
        beats.push(timeout(PATIENCE, found.recv()).await.unwrap().unwrap());
        assert_ne!(beats.last(), Some(&Liveness::Hung), "{beats:?}");
    }
}

#[actix::test]
async fn a_child_on_the_same_thread_outlives_a_stall_that_its_parent_catches_up_on() {
    let child = super::victim(&Roster::new()).0;
    a_healthy_child_outlives_a_stall_of_its_parent(child).await;
}

#[actix::test]
async fn a_child_on_another_thread_outlives_a_stall_that_its_parent_catches_up_on() {
    let arbiters = Arbiters::start(1).unwrap();
    let identity = ActorIdentity { label: super::LABEL, span: Span::none() };
    let child = spawn_on(arbiters.root(), &Roster::new(), identity, |_| Victim::default(), |_| {});
    a_healthy_child_outlives_a_stall_of_its_parent(child).await;
}
