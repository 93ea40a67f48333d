//! Makes the facts of one response durable: gathers, encrypts and submits them.

mod accumulator;
mod write_buffer;

pub(crate) use accumulator::{PersistenceAccumulator, Retry, StoreFact, Work};
pub(crate) use write_buffer::{EndingDraft, SharedWriteBuffer, WriteBuffer, seal_ending};
