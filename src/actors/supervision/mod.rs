//! Supervision for actix actors, which have none that survives a panic.
//!
//! [`spawn`] and [`spawn_on`] are the only ways to start an actor in this crate. Every ending is a value
//! ([`Exit`]) that the parent is told exactly once, after every message the child had sent before. A
//! [`Child`] that is dropped is killed, so a tree dies from the top. [`Child::beat`] finds an actor that no
//! longer reads its mailbox. The [`Roster`] knows who is alive.

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
