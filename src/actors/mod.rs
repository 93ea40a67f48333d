//! The actors: who runs what, who watches whom.
//!
//! Imports `protocol`, `domain`, `journal` and the ports. Actors see providers and stores as traits.

mod client_emitter;
mod history;
mod journal_writer;
mod label;
mod lease;
mod node;
mod node_guardian;
mod persistence_accumulator;
mod planner;
mod provider_reader;
mod reader;
mod registry;
mod response_supervisor;
mod restarts;
mod status_line;
mod subscription;
pub mod supervision;
mod upstream;

pub use client_emitter::Emission;
pub use history::{History, HistoryError};
pub(crate) use history::{history, open_item};
pub use journal_writer::{Journal, JournalStats, Written};
pub use label::{Label, Role};
pub(crate) use lease::{Heartbeat, Standing};
pub use node::EstimateTokens;
pub(crate) use node::Node;
pub use node_guardian::NodeFailure;
pub(crate) use node_guardian::{NodeGuardian, NodeState};
pub use planner::{Accepted, KnownModel, PlanRefusal, PlannedRun, Planner};
pub(crate) use reader::seat;
pub use reader::{Outcome, Phase, Reader, Wish};
pub(crate) use registry::{Begin, Cancel, Delete, Drain, Join, ResponseRegistry, find, load};
pub(crate) use response_supervisor::Place;
pub use response_supervisor::{AdmitError, CancelRefusal, ReadRefusal};
#[cfg(test)]
pub(crate) use status_line::{SharedStatusLine, StatusLine};
pub use subscription::Subscription;
pub use upstream::ProviderOptions;
pub(crate) use upstream::Upstream;
