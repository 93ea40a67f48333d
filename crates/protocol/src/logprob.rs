//! Probabilities of tokens.

use serde::{Deserialize, Serialize};

/// How probable a token of the text was.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct LogProb {
    /// The token.
    pub token: String,
    /// The logarithm of its probability.
    pub logprob: f64,
    /// Its bytes: a token can be a part of a character.
    #[serde(default)]
    pub bytes: Vec<u8>,
    /// What could have stood in its place, most probable first.
    #[serde(default)]
    pub top_logprobs: Vec<TopLogProb>,
}

/// How probable a token would have been.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TopLogProb {
    /// The token.
    pub token: String,
    /// The logarithm of its probability.
    pub logprob: f64,
    /// Its bytes.
    #[serde(default)]
    pub bytes: Vec<u8>,
}

// Tokens are content, and content is in no log.
impl std::fmt::Debug for LogProb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogProb")
    }
}

impl std::fmt::Debug for TopLogProb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TopLogProb")
    }
}
