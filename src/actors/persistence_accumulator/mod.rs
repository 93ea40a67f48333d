//! Makes the facts of one response durable: gathers, encrypts, submits.

mod accumulator;
mod window;

pub(crate) use accumulator::{PersistenceAccumulator, Retry, StoreFact, Work};
pub(crate) use window::{EndingDraft, SharedWindow, Window, seal_ending};
