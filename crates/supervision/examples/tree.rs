//! Two trees of actors on threads of their own: what hangs is found by its parent's beats, the rest is killed from the
//! top, and the leak check says when nobody is left.
//!
//! `cargo run -p antiphon-supervision --example tree`

#![expect(clippy::print_stdout, reason = "it tells what happens")]

use std::{future::pending, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, fut::wrap_future};
use antiphon_supervision::{ActorIdentity, Arbiters, Child, Exit, Liveness, Ping, Roster, spawn, spawn_on};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Never ends by itself: without supervision it would outlive its parent.
struct Leaf {
    hangs: bool,
}

impl Actor for Leaf {
    type Context = Context<Self>;

    #[expect(clippy::disallowed_methods, reason = "who waits does not read its mailbox, which is the point here")]
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(wrap_future(pending()));
        if self.hangs {
            ctx.wait(wrap_future(pending()));
        }
    }
}

impl Handler<Ping> for Leaf {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.answer();
    }
}

/// Holds two leaves on its own thread, one of which hangs.
struct Trunk {
    roster: Roster,
    told: UnboundedSender<Exit>,
    leaves: Vec<Child<Leaf>>,
}

impl Actor for Trunk {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for hangs in [false, true] {
            let told = self.told.clone();
            let exit = move |exit| drop(told.send(exit));
            self.leaves.push(spawn(&self.roster, "leaf", move |_| Leaf { hangs }, exit));
        }
        ctx.run_interval(Duration::from_millis(10), |trunk, _| {
            trunk.leaves.retain_mut(|leaf| leaf.beat(3) != Liveness::Hung);
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (arbiters, roster, (tell, mut told)) = (Arbiters::start(2)?, Roster::new(), unbounded_channel());
    let plant = |arbiter| {
        let trunk = Trunk { roster: roster.clone(), told: tell.clone(), leaves: Vec::new() };
        let identity = ActorIdentity { label: "trunk", span: tracing::Span::none() };
        spawn_on(arbiter, &roster, identity, |_| trunk, |_| {})
    };
    let trees = [plant(arbiters.root()), plant(arbiters.of("another tree").ok_or("all threads hang")?)];
    for _ in 0..2 {
        println!("found by its parent's beats: {:?}", told.recv().await);
    }
    println!("alive: {}", roster.live().len());
    drop(trees);
    roster.wait_until_empty(Duration::from_secs(30)).await?;
    println!("nobody is left");
    println!("told after the kill: {:?}, {:?}", told.recv().await, told.recv().await);
    Ok(())
}
