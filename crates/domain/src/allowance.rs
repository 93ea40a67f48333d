//! How much output a response may still have.

use super::ProviderEvent;

/// The bytes of output that are still allowed. What the client sees and what is stored are cut at the same byte,
/// because both fold the events that passed the allowance.
#[derive(Debug, Clone, Copy)]
pub struct OutputAllowance {
    left: usize,
}

impl OutputAllowance {
    /// An allowance of that many bytes: text, refusals, reasoning and arguments together, and whatever else a provider
    /// adds to the output.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Takes what the event needs. Where that is more than is left the event's text is cut, never inside of a
    /// character; what can't be cut is left out.
    #[must_use]
    pub fn take(&mut self, event: ProviderEvent) -> AllowedOutput {
        if let Some(left) = self.left.checked_sub(event.output_bytes()) {
            self.left = left;
            return AllowedOutput::Whole(event);
        }
        AllowedOutput::Cut(event.cut(std::mem::take(&mut self.left)))
    }
}

/// What is left of an event.
#[derive(Debug)]
pub enum AllowedOutput {
    /// All of it.
    Whole(ProviderEvent),
    /// As much as was allowed, if anything: the limit is reached.
    Cut(Option<ProviderEvent>),
}
