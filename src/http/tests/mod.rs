//! The API of a node whose store and provider do what a test wants.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answer_room;
mod bad_input;
mod body_room;
mod error_codes;
mod fixture;
mod heads;
mod idempotency;
mod page;
mod parts;
mod provider_refusals;
mod reading;
mod sizes;
mod sockets;
mod streams;
