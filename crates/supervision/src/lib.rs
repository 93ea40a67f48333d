#![doc = include_str!("../README.md")]

mod arbiters;
mod budget;
mod child;
mod exit;
#[cfg(feature = "fault-injection")]
mod fault_injection;
mod heartbeat;
mod monitored;
mod placement;
mod roster;
#[cfg(test)]
mod tests;

pub use arbiters::{ArbiterTicks, Arbiters, ArbitersStartError};
pub use budget::{Restart, RestartBudget};
pub use child::{ActorIdentity, Child, spawn, spawn_on};
pub use exit::Exit;
#[cfg(feature = "fault-injection")]
pub use fault_injection::Fault;
pub use heartbeat::{Liveness, Ping};
pub use roster::{LeakedActors, Roster};
