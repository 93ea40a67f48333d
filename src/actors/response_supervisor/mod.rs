//! Runs one response: performs what its [`Run`](crate::domain::Run) decides.

mod clients;
mod commands;
mod commits;
mod ending;
mod perform;
mod provider;
mod supervisor;
mod unstored_call;

pub(crate) use commands::{CancelRun, JoinRun, LeaveQueue, StopRun};
pub(crate) use ending::{Estimate, UsageOwner, finish_draft, outcome, usage_records};
pub(crate) use provider::AdmissionSlot;
pub(crate) use supervisor::{
    OrphanedRun, ResponseSupervisor, RunMilestone, RunOrigin, RunReport, StartQueued, SupervisorStart,
};
