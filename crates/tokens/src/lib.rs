//! Counts tokens as OpenAI's models do, and makes prompts fit a model by them.
//!
//! Exact for those models and an estimate for others. Texts are cut into slices before they are counted: the
//! tokenizer panics on about a million blanks in a row, and a long text must not hold a thread for seconds. All
//! counting, and the loading of a vocabulary (more than 100 ms), happens off the caller's thread.

mod count;
mod counter;
mod prompt;
mod prompt_budget;
mod slices;
#[cfg(test)]
mod tests;
mod tiktoken;

pub use count::TokenError;
pub use count::count_blocking;
pub use counter::TokenCounter;
pub use prompt::prompt_tokens_blocking;
pub use prompt_budget::{FittedPrompt, PromptBudget, PromptError};
pub use tiktoken::Tiktoken;
