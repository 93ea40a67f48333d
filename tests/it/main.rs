//! The tests that run against real databases, real sockets and the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod endings;
mod golden;
mod provider;
mod store;
mod stories;
mod tidy;
