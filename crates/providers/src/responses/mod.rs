//! Any server that speaks OpenAI's Responses, over HTTP: OpenAI itself, or another Antiphon.
//!
//! What comes is what goes on: items of unknown kinds and unknown fields of known items are passed on as they came.
//! Unknown events are kept with the unknown item that they are about; without one they are ignored, because
//! clients fail on events that they do not know. Unknown fields and kinds of an item's parts have no place in the
//! port, nor has a thought that holds nothing at all.

mod adapter;
mod calls;
mod decoder;
mod ending;
mod event;
mod output;
mod parts;
mod request;
#[cfg(test)]
mod tests;

pub use adapter::Responses;
