#![doc = include_str!("../README.md")]

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
#[cfg(feature = "fault-injection")]
pub use roster::Fault;
pub use roster::{Leak, Roster};
