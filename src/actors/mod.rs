//! The actors of a node and how they supervise each other.
//!
//! Imports `protocol`, `domain`, `journal` and the ports. Actors see providers and stores as traits.

mod client_emitter;
mod client_stream;
mod history;
mod journal_writer;
mod label;
mod lease;
mod node;
mod node_guardian;
mod node_ownership;
mod outcome_cache;
mod persistence_accumulator;
mod planning;
mod provider_reader;
mod registry;
mod response_supervisor;
mod restarts;
mod stored_items;
mod success_promise;
mod upstream;

/// Starts, watches and ends actors: the crate `antiphon-supervision`.
#[doc(inline)]
pub use antiphon_supervision as supervision;
pub use client_emitter::Emission;
pub(crate) use client_stream::client_channel;
pub use client_stream::{ClientStream, DeliveryMode, ResponseOutcome, ResponsePhase};
pub(crate) use history::{History, history};
pub use journal_writer::{Journal, JournalStats, Written};
pub use label::{ActorRole, Label};
pub(crate) use lease::Heartbeat;
pub(crate) use node::Node;
pub use node_guardian::NodeFailure;
pub(crate) use node_guardian::{NodeGuardian, NodeState};
pub(crate) use node_ownership::NodeOwnership;
pub(crate) use outcome_cache::OutcomeCache;
pub(crate) use planning::{Conversation, plan_prompt};
pub(crate) use registry::{Begin, Cancel, Delete, Drain, Join, ResponseRegistry, Withdraw, find, load_response};
pub(crate) use response_supervisor::AdmissionSlot;
pub(crate) use stored_items::{check_without_input, open_page};
pub use upstream::ProviderOptions;
pub(crate) use upstream::Upstream;
