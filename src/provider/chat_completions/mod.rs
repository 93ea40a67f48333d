//! Any server that speaks OpenAI's Chat Completions, over HTTP.

mod adapter;
mod chunk;
mod decoder;
mod messages;
mod request;
#[cfg(test)]
mod tests;

pub use adapter::{ChatCompletions, OutputLimitField};
