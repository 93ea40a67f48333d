//! Any server that speaks OpenAI's Responses, over HTTP: OpenAI itself, or another Antiphon.
//!
//! What comes is what goes on: items of kinds that nobody here knows and fields that nobody here knows keep what
//! they hold. Events of a type that nobody here knows are passed on if they concern such an item, and left out
//! if not, because there is nothing that they could be shown at.

mod adapter;
mod calls;
mod decoder;
mod ending;
mod event;
mod output;
mod request;
mod speech;

pub use adapter::Responses;
