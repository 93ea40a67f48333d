//! A server under pressure, and what it is afterwards.

mod descriptors;
mod fairness;
mod leaks;
mod readers;
