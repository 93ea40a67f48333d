//! Any server that speaks OpenAI's Chat Completions, over HTTP.

mod adapter;
mod calls;
mod chunk;
mod chunk_form;
mod decoder;
mod detail;
#[cfg(test)]
pub(crate) use decoder::ChatDecoder;
mod field_allowance;
mod form;
mod json_extent;
mod messages;
mod request;
mod returned_thoughts;
#[cfg(test)]
mod tests;
mod text;
mod thoughts;
mod usage;
mod words;

pub use adapter::ChatCompletions;
pub use form::{ChatForm, OutputLimitField, ReasoningField, SystemMessages};
