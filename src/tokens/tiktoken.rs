//! The tokenizer as a value, for the ports that ask for one.

/// Counts with tiktoken. It implements the ports of those who need counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tiktoken;
