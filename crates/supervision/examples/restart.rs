//! A worker that panics is started again, twice within a minute at most; then its parent gives up.
//!
//! `cargo run -p antiphon-supervision --example restart`

#![expect(clippy::print_stdout, reason = "it tells what happens")]

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};
use antiphon_supervision::{Child, Exit, Restart, RestartBudget, Roster, spawn};
use tokio::{sync::oneshot, time::Instant};

/// Both live on one thread.
type Jobs = Rc<RefCell<VecDeque<u32>>>;

/// Divides 60 by numbers, and panics where that can't be done.
struct Divider(Jobs);

impl Actor for Divider {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        while let Some(number) = { self.0.borrow_mut().pop_front() } {
            println!("60 / {number} = {}", 60 / number);
        }
        ctx.stop();
    }
}

/// Holds the worker, its jobs, and how often it may be started again.
struct Foreman {
    jobs: Jobs,
    worker: Option<Child<Divider>>,
    restarts: RestartBudget,
}

impl Actor for Foreman {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (jobs, foreman) = (self.jobs.clone(), ctx.address());
        self.worker =
            Some(spawn(&Roster::new(), "divider", |_| Divider(jobs), move |exit| foreman.do_send(Ended(exit))));
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Ended(Exit);

impl Handler<Ended> for Foreman {
    type Result = ();

    fn handle(&mut self, Ended(exit): Ended, ctx: &mut Self::Context) {
        let Exit::Panicked(text) = exit else {
            println!("the worker ended: {exit:?}");
            return ctx.stop();
        };
        println!("the worker panicked: {text}");
        match self.restarts.spend(Instant::now()) {
            Restart::Again => self.started(ctx),
            Restart::GiveUp => {
                println!("given up, with {} jobs left", self.jobs.borrow().len());
                ctx.stop();
            }
        }
    }
}

fn main() {
    actix::System::new().block_on(async {
        let jobs = Rc::new(RefCell::new([5, 0, 4, 0, 3, 0, 2, 1].into()));
        let restarts = RestartBudget::within(Duration::from_secs(60), 2);
        let (tell, told) = oneshot::channel();
        let build = |_: &mut Context<_>| Foreman { jobs, worker: None, restarts };
        let _foreman = spawn(&Roster::new(), "foreman", build, |exit| drop(tell.send(exit)));
        println!("the foreman ended: {:?}", told.await);
    });
}
