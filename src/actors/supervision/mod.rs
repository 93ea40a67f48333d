//! Supervision for actix actors: started so that somebody is told how they end, and so that they end with their
//! parent.
//!
//! It is for every program on actix. It uses actix, actix-rt, tokio, tracing, parking_lot and thiserror, and nothing else
//! of this crate.
//!
//! ```text
//!                 main
//!                  |  Child        dropping it kills all that is below
//!                  v
//!                 root   <-------+
//!        Child  |      | Child   |  Exit         how a child ended: stopped, killed, hung, panicked;
//!      +--------+      +------+  |               told once, after all that the child had sent
//!      v                      v  |
//!   worker                  worker
//!      ^                      ^
//!      +---- Ping, Beat ------+                  is it not dead, but deaf?
//!
//!   Roster          who is alive: for metrics, and for the leak check of a test
//!   RestartBudget   how often a parent starts again what panicked
//!   Arbiters        the threads that they live on, and whether these are alive
//! ```
//!
//! # The rules
//!
//! 1. **[`spawn`] and [`spawn_on`] are the only ways to start an actor.** Have clippy ban the others, as this crate
//!    does: `disallowed-methods` with `actix::Actor::start`, `start_default`, `create`, `start_in_arbiter`,
//!    `actix::Context::run`, `actix::Supervisor::start` and `actix_rt::spawn`.
//! 2. **A parent holds the [`Child`] of everything that it started**, as a field. Whoever drops it kills the actor, and
//!    an actor that ends drops its fields: so a tree dies from the top, whatever thread its branches live on.
//! 3. **An ending is a message.** The closure that [`spawn`] takes sends the [`Exit`] to the parent, and what follows
//!    is the parent's decision: start it again while a [`RestartBudget`] allows that, do without it, or end too.
//! 4. **A parent beats.** [`Child::beat`] on a timer finds the child that is alive and no longer reads its mailbox.
//! 5. **A test ends with [`Roster::wait_until_empty`]**, so that nothing leaks unseen.
//!
//! ```
//! use actix::{Actor, AsyncContext, Context, Handler, Message};
//! use antiphon::actors::supervision::{Child, Exit, Roster, spawn};
//!
//! struct Worker;
//!
//! impl Actor for Worker {
//!     type Context = Context<Self>;
//!
//!     fn started(&mut self, _: &mut Self::Context) {
//!         panic!("no such file");
//!     }
//! }
//!
//! struct Parent {
//!     worker: Option<Child<Worker>>,
//!     heard: tokio::sync::mpsc::UnboundedSender<Exit>,
//! }
//!
//! #[derive(Message)]
//! #[rtype(result = "()")]
//! struct WorkerEnded(Exit);
//!
//! impl Actor for Parent {
//!     type Context = Context<Self>;
//!
//!     fn started(&mut self, ctx: &mut Self::Context) {
//!         let parent = ctx.address();
//!         let exit = move |exit| parent.do_send(WorkerEnded(exit));
//!         self.worker = Some(spawn(&Roster::new(), "worker", |_| Worker, exit));
//!     }
//! }
//!
//! impl Handler<WorkerEnded> for Parent {
//!     type Result = ();
//!
//!     fn handle(&mut self, WorkerEnded(exit): WorkerEnded, _: &mut Self::Context) {
//!         self.worker = None;
//!         drop(self.heard.send(exit));
//!     }
//! }
//!
//! actix::System::new().block_on(async {
//!     let (heard, mut endings) = tokio::sync::mpsc::unbounded_channel();
//!     let _parent = spawn(&Roster::new(), "parent", |_| Parent { worker: None, heard }, |_| {});
//!     assert_eq!(endings.recv().await, Some(Exit::Panicked("no such file".to_owned())));
//! });
//! ```
//!
//! Two programs of some 80 lines show the rest: `examples/supervision_restart.rs` starts a worker again until its
//! budget is spent; `examples/supervision_tree.rs` finds what hangs, kills from the top and checks for leaks.
//!
//! # What actix does by itself
//!
//! Of actix 0.13; each line is a test in `tests/facts.rs` beside this page's source.
//!
//! | what happens | what actix does |
//! |---|---|
//! | a handler panics | the actor is gone; who waits for an answer gets `MailboxError::Closed`, **nobody else is told**; a later `do_send` is dropped without a word |
//! | ... | the others on its thread go on, as if nothing had been |
//! | ... | the actor's `stopping` and `stopped` run while the panic unwinds; **a second panic there aborts the process** |
//! | an actor under `actix::Supervisor` panics | **it is not started again**; only one that stopped is |
//! | the last address of an actor is dropped | an actor with a live future, stream or interval **runs on for ever** |
//! | a parent panics | its children run on, and nobody knows them |
//! | an actor is in `ctx.wait` | it reads no message, not even one that would stop it |
//! | a mailbox is full | `do_send` does not mind, and `try_send` refuses only the clone of the address that filled it |
//!
//! With this module a panic is caught before it is one for tokio, and caught once more while the actor is dropped: a
//! second panic aborts nothing, and the first is the ending that is told.
//!
//! # Pitfalls
//!
//! - It needs `panic = "unwind"`, which is the default. With `panic = "abort"` there is nothing to supervise.
//! - An actor that blocks its thread can't be killed, by nobody: a thread can't be taken back. Its parent's beats show
//!   it only if the parent lives on another thread; [`Arbiters::watch`] shows the thread itself. Go on without it, and
//!   don't wait for its ending.
//! - Killing takes effect at the actor's next turn, so a kill from another thread is not done when `drop` returns. Wait
//!   for the [`Exit`], or for the [`Roster`].
//! - The closure that is told the ending runs where the actor lived, and on another thread if that one is gone. Let it
//!   send a message and nothing else. It must not panic.
//! - A message to a parent that is gone is lost, the one about an ending too. That is as it should be: a child ends with
//!   its parent, and the parent's own ending is told one level up.
//! - `stopping` can't hold up a kill: with `Running::Continue` an actor handles what is in its mailbox, and is dropped
//!   all the same. Better have no `stopping` and `stopped` at all, and let `Drop` of what the actor holds do the work.
//! - An actor that is killed before its first turn still runs `started`: actix does that when it drops one.
//! - The text of a panic may quote what an actor worked on. So neither `Display` nor `Debug` of an [`Exit`] shows it;
//!   [`Exit::panic_text`] does. Rust's own panic hook still prints it to standard error before anybody catches it: where
//!   that is a log, set another with `std::panic::set_hook`.

mod arbiters;
mod budget;
mod child;
mod exit;
mod monitored;
mod placement;
mod pulse;
mod roster;
#[cfg(test)]
mod tests;

pub use arbiters::{Arbiters, ArbitersGone, Ticks};
pub use budget::{Restart, RestartBudget};
pub use child::{Child, spawn, spawn_on};
pub use exit::Exit;
pub use pulse::{Beat, Ping};
#[cfg(feature = "testkit")]
pub use roster::Fault;
pub use roster::{Leak, Roster};
