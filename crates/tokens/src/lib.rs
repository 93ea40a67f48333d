//! Counts tokens as OpenAI's models do.
//!
//! Exact for those models and an estimate for others. Texts are cut into slices before they are counted: the
//! tokenizer panics on about a million blanks in a row, and a long text must not hold a thread for seconds. All
//! counting, and the loading of a vocabulary (more than 100 ms), happens off the caller's thread.

mod count;
mod prompt;
mod slices;
#[cfg(test)]
mod tests;
mod tiktoken;

pub use count::count_blocking;
pub use count::{TokenError, text_tokens};
pub use prompt::prompt_tokens_blocking;
pub use prompt::{definition_tokens, prompt_tokens};
pub use tiktoken::Tiktoken;
