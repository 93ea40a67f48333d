//! Any server that speaks OpenAI's Chat Completions, over HTTP: text in, text out.
//!
//! Pure parts first: the request's body, the chunks, the decoder from bytes to events. The call around them
//! carries bytes and keeps time.

mod call;
mod chunk;
mod client;
mod decoder;
mod failure;
mod options;
mod request;
mod retry_after;
#[cfg(test)]
mod tests;
mod tls;
mod upstream;

pub use options::{
    ChatCompletionsError, ChatCompletionsOptions, DEFAULT_CONNECT_TIMEOUT, DEFAULT_FIRST_BYTE_TIMEOUT,
    DEFAULT_IDLE_TIMEOUT, OutputLimitField,
};
pub use upstream::ChatCompletions;
