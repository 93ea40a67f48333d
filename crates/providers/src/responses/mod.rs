//! Any server that speaks OpenAI's Responses, over HTTP: OpenAI itself, or another Antiphon.
//!
//! The output is passed on as it comes: items of unknown kinds and unknown fields of known items are passed on as they
//! came. Unknown events are kept with the unknown item that they are about; without one they are ignored, because
//! clients fail on events that they do not know. The port can't hold unknown fields and kinds of an item's parts, nor
//! empty reasoning items.

mod adapter;
mod calls;
mod decoder;
mod ending;
mod event;
mod input;
mod output;
mod parts;
mod request;
#[cfg(test)]
mod tests;

pub use adapter::{Responses, ResponsesForm};
