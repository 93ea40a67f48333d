//! A server under pressure, and what it is afterwards.

mod bodies;
mod connections;
mod descriptors;
mod fairness;
mod floods;
mod leaks;
pub(crate) mod peak;
mod readers;
mod stalled;
