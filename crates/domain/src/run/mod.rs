//! The run of a response: which events lead to which effects.
//!
//! A response is turns, and a turn is attempts. [`Run`] is a state machine over both: whoever performs it hands in
//! what happened as a [`RunEvent`] and does what the [`RunEffect`]s say, in their order. It has no clock, no
//! randomness and no IO; times and random fractions come with the events.

mod attempts;
mod bare_calls;
mod clients;
mod effect;
mod event;
mod leaving;
mod machine;
mod reading;
mod recovery;
mod replay;
mod setup;
mod state;
mod storing;
mod tools;

#[cfg(test)]
mod tests;

pub use clients::ClientId;
pub use effect::{
    AdmissionFailure, AttemptKind, AttemptReport, RecordedFact, RunEffect, RunNote, SlotQueue, Timer, ToolCallRequest,
    ToolOffer,
};
pub use event::{ClientEvent, ClientNeed, Disowned, RunCommand, RunEvent, StoreEvent, ToolResult, UsageEstimates};
pub use machine::{ResumedRun, RetryHint, Run, RunPhase};
pub use recovery::{LostCall, Recovery, RunProgress, SettleReason};
pub use setup::{RunLimits, RunSetup, RunTarget};
