//! How much output a response may still have.

use serde_json::Value;

use super::Fact;
use crate::protocol::{Extra, LogProb};

/// The bytes of output that are still allowed. What the client sees and what is stored are cut at the same
/// byte, because both fold what passed here.
#[derive(Debug, Clone, Copy)]
pub struct OutputAllowance {
    left: usize,
}

impl OutputAllowance {
    /// An allowance of that many bytes of text, refusal, reasoning and arguments together.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Takes what the fact needs. Where that is more than is left the fact's text is cut (never inside a
    /// character) and the answer is false: the limit is reached.
    #[must_use]
    pub fn take(&mut self, fact: &mut Fact) -> bool {
        let Some(text) = text_of(fact) else { return true };
        if let Some(left) = self.left.checked_sub(text.len()) {
            self.left = left;
            return true;
        }
        text.truncate(text.floor_char_boundary(self.left));
        self.left = 0;
        false
    }
}

/// What fields cost: about their length as JSON.
#[must_use]
pub fn json_size(fields: &Extra) -> usize {
    fn of_value(value: &Value) -> usize {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 8,
            Value::String(text) => text.len() + 2,
            Value::Array(values) => values.iter().map(of_value).sum::<usize>() + values.len() + 2,
            Value::Object(fields) => json_size(fields),
        }
    }
    fields.iter().map(|(key, value)| key.len() + 4 + of_value(value)).sum::<usize>() + 2
}

/// What the probabilities of a token cost: about their length as JSON.
#[must_use]
pub fn logprob_size(logprob: &LogProb) -> usize {
    let top: usize = logprob.top_logprobs.iter().map(|top| 48 + top.token.len() + 4 * top.bytes.len()).sum();
    64 + logprob.token.len() + 4 * logprob.bytes.len() + top
}

fn text_of(fact: &mut Fact) -> Option<&mut String> {
    if let Fact::TextArrived { text, .. }
    | Fact::ScoredTextArrived { text, .. }
    | Fact::SummaryArrived { text, .. }
    | Fact::ReasoningArrived { text, .. }
    | Fact::RefusalArrived { text, .. }
    | Fact::ArgumentsArrived { text, .. } = fact
    {
        Some(text)
    } else {
        None
    }
}
