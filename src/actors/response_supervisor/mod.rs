//! Runs one response: owns its transcript and the only right to decide its ending.

mod attempts;
mod children;
mod commands;
mod ending;
mod progress;
mod readers;
mod retelling;
mod supervisor;
mod takeover;

pub(crate) use attempts::{AdmissionSlot, TakeTurn};
pub(crate) use commands::{CancelRun, JoinRun, LeaveQueue, StopRun};
pub(crate) use ending::{Estimate, finish_draft, outcome, usage_records};
pub(crate) use supervisor::{ResponseSupervisor, RunFact, RunOrigin, Start};
pub(crate) use takeover::Leftover;
