#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod arbiters;
mod arithmetic;
mod endings;
mod facts;
mod heartbeats;
mod trees;

use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Running};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use super::{Child, Exit, Ping, Roster, spawn};

/// For what comes at once, unless it never does.
const PATIENCE: Duration = Duration::from_secs(30);

const LABEL: &str = "victim";

/// Does what it is told, also to itself.
#[derive(Default)]
struct Victim {
    panics_when_stopping: bool,
}

impl Actor for Victim {
    type Context = Context<Self>;

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        assert!(!self.panics_when_stopping, "boom while stopping");
        Running::Stop
    }
}

#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
enum Order {
    Panic,
    PanicLater,
    Stop,
}

impl Handler<Order> for Victim {
    type Result = ();

    fn handle(&mut self, order: Order, ctx: &mut Self::Context) {
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

fn victim(roster: &Roster) -> (Child<Victim>, UnboundedReceiver<Exit>) {
    spawned(roster, Victim::default())
}

fn spawned<A: Actor<Context = Context<A>>>(roster: &Roster, actor: A) -> (Child<A>, UnboundedReceiver<Exit>) {
    let (tell, told) = unbounded_channel();
    (spawn(roster, LABEL, move |_| actor, move |exit| drop(tell.send(exit))), told)
}

/// What the parent was told, which must be exactly one thing.
async fn only(mut told: UnboundedReceiver<Exit>) -> Exit {
    let both = async { (told.recv().await, told.recv().await) };
    let (exit, more) = timeout(PATIENCE, both).await.unwrap();
    assert_eq!(more, None, "one ending, one notice");
    exit.unwrap()
}
