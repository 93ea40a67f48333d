//! Runs one response: owns its transcript and the only right to decide its ending.

mod children;
mod commands;
mod ending;
mod progress;
mod readers;
mod supervisor;

pub use commands::{CancelRefusal, ReadRefusal};
pub(crate) use commands::{CancelRun, JoinRun, StopRun};
pub(crate) use ending::{Estimate, finish_draft, outcome, usage_records};
pub use supervisor::AdmitError;
pub(crate) use supervisor::{Concluded, ResponseSupervisor, Start};
