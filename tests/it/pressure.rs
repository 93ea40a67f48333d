//! A server under pressure, and what it is afterwards.

mod bodies;
mod descriptors;
mod fairness;
mod floods;
mod leaks;
mod peak;
mod readers;
mod stalled;
