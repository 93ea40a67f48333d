//! Makes the facts of one response durable: gathers, encrypts and submits them.

mod accumulator;
mod write_buffer;

pub(crate) use accumulator::{PersistenceAccumulator, RetryCommit, StoreFact, Work};
pub(crate) use write_buffer::{
    AcceptedResponse, EndingDraft, LogEnd, ResponseOwner, SharedWriteBuffer, WriteBuffer, seal_ending,
};
