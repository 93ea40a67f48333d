//! The tests that run against real databases, real sockets and the real binary.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod api;
mod as_sent;
mod attempts;
mod background;
mod browser;
mod chained;
mod command_line;
mod configuration;
#[cfg(feature = "fault-points")]
mod crashes;
mod database_faults;
mod deploys;
mod dialects;
mod docs;
mod embedding;
mod endings;
mod examples;
mod full_disk;
mod golden;
mod hostile;
mod idempotency;
mod leases;
mod log_lines;
mod log_reads;
mod outputs;
mod ownership;
mod pressure;
mod provider;
mod reattach;
mod recovery;
mod sdk;
mod secrets;
mod set_aside;
mod start;
mod store;
mod stories;
mod support;
mod tidy;
mod upgrade;
mod usage;
mod users;
