//! How much output a response may still have.

use serde_json::Value;

use super::Fact;
use antiphon_protocol::{Extra, LogProb};

/// The bytes of output that are still allowed. What the client sees and what is stored are cut at the same
/// byte, because both fold what passed here.
#[derive(Debug, Clone, Copy)]
pub struct OutputAllowance {
    left: usize,
}

impl OutputAllowance {
    /// An allowance of that many bytes: text, refusals, thoughts and arguments together, and whatever else a provider
    /// adds to the output.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Takes what the fact needs. Where that is more than is left the fact's text is cut, never inside of a
    /// character; what can't be cut is left out.
    #[must_use]
    pub fn take(&mut self, mut fact: Fact) -> Taken {
        let cost = cost(&fact);
        if let Some(left) = self.left.checked_sub(cost) {
            self.left = left;
            return Taken::Whole(fact);
        }
        let left = std::mem::take(&mut self.left);
        let Some(text) = text_of(&mut fact) else { return Taken::Cut(None) };
        text.truncate(text.floor_char_boundary(left));
        Taken::Cut(Some(fact))
    }
}

/// What is left of a fact.
#[derive(Debug)]
pub enum Taken {
    /// All of it.
    Whole(Fact),
    /// As much as was allowed, if anything: the limit is reached.
    Cut(Option<Fact>),
}

/// The bytes of output that a fact adds.
fn cost(fact: &Fact) -> usize {
    match fact {
        Fact::TextArrived { text, .. }
        | Fact::ReasoningArrived { text, .. }
        | Fact::SummaryArrived { text, .. }
        | Fact::RefusalArrived { text, .. }
        | Fact::ArgumentsArrived { text, .. }
        | Fact::ReasoningSealed { encrypted_content: text, .. } => text.len(),
        Fact::ScoredTextArrived { text, logprobs, .. } => text.len() + logprobs.iter().map(logprob_size).sum::<usize>(),
        Fact::CallStarted { call_id, name, .. } => call_id.len() + name.len(),
        Fact::AnnotationArrived { annotation: fields, .. }
        | Fact::SpeechFinished { extra: fields, .. }
        | Fact::CallFinished { extra: fields, .. }
        | Fact::OtherStarted { fields, .. }
        | Fact::OtherReported { fields, .. }
        | Fact::OtherFinished { fields, .. } => fields_cost(fields),
        Fact::Created { .. }
        | Fact::Accepted { .. }
        | Fact::AttemptOpening { .. }
        | Fact::AttemptOpened { .. }
        | Fact::PartFinished { .. }
        | Fact::ToolStarted { .. }
        | Fact::ToolAnswered { .. }
        | Fact::ToolFailed { .. }
        | Fact::UsageReported { .. }
        | Fact::ProviderFinished { .. }
        | Fact::ProviderFailed { .. }
        | Fact::LimitReached { .. }
        | Fact::CancelRequested { .. }
        | Fact::ClientLost { .. }
        | Fact::NodeLost { .. }
        | Fact::DeadlinePassed { .. }
        | Fact::ServerFailed { .. }
        | Fact::RunPolicySet { .. }
        | Fact::DeadlineSet { .. }
        | Fact::Ended { .. } => 0,
    }
}

fn fields_cost(fields: &Extra) -> usize {
    if fields.is_empty() { 0 } else { json_size(fields) }
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
