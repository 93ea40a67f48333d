//! How much output a response may still have.

use super::ProviderEvent;

/// The bytes of output that are still allowed. What the client sees and what is stored are cut at the same byte,
/// because both fold the events that passed the allowance.
#[derive(Debug, Clone, Copy)]
pub struct OutputAllowance {
    left: usize,
    /// The bytes of the thoughts since the last that was sealed.
    thought: usize,
}

/// How many bytes a byte of a thought takes at most where it is sealed with the thought: base64 of JSON.
const SEALED: usize = 2;

impl OutputAllowance {
    /// An allowance of that many bytes: text, refusals, reasoning and arguments together, and whatever else a provider
    /// adds to the output.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes, thought: 0 }
    }

    /// Takes what the event needs. Where that is more than is left the event's text is cut, never inside of a
    /// character; what can't be cut is left out. The words of a thought are not counted again where they are sealed.
    #[must_use]
    pub fn take(&mut self, event: ProviderEvent) -> AllowedOutput {
        let mut bytes = event.output_bytes();
        if let ProviderEvent::Reasoning { .. } | ProviderEvent::ReasoningSummary { .. } = event {
            self.thought += bytes;
        } else if let ProviderEvent::EncryptedReasoning { .. } = event {
            bytes = bytes.saturating_sub(SEALED * std::mem::take(&mut self.thought));
        }
        if let Some(left) = self.left.checked_sub(bytes) {
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

#[cfg(test)]
mod tests {
    use super::{AllowedOutput, OutputAllowance};
    use crate::ProviderEvent;

    fn thought(bytes: usize) -> ProviderEvent {
        ProviderEvent::Reasoning { text: "x".repeat(bytes) }
    }

    fn sealed(bytes: usize) -> ProviderEvent {
        ProviderEvent::EncryptedReasoning { encrypted_content: "x".repeat(bytes) }
    }

    fn is_whole(allowance: &mut OutputAllowance, event: ProviderEvent) -> bool {
        matches!(allowance.take(event), AllowedOutput::Whole(_))
    }

    #[test]
    fn the_words_of_a_thought_are_not_counted_again_where_they_are_sealed() {
        let mut allowance = OutputAllowance::new(100);
        for event in [thought(40), thought(40), sealed(160), thought(10), sealed(15)] {
            assert!(is_whole(&mut allowance, event));
        }
        assert!(is_whole(&mut allowance, sealed(10)));
        assert!(!is_whole(&mut allowance, sealed(1)));
    }

    #[test]
    fn what_is_sealed_beside_the_words_counts() {
        let mut allowance = OutputAllowance::new(100);
        assert!(is_whole(&mut allowance, thought(50)));
        assert!(!is_whole(&mut allowance, sealed(151)));
        assert!(!is_whole(&mut OutputAllowance::new(100), sealed(101)));
    }
}
