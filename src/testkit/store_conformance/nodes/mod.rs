//! Nodes, and the responses that belong to them.

pub(super) mod leases;
pub(super) mod ownership;
