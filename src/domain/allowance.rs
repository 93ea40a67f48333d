//! How much output a response may still have.

use super::Fact;

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

fn text_of(fact: &mut Fact) -> Option<&mut String> {
    if let Fact::TextArrived { text, .. }
    | Fact::ReasoningArrived { text, .. }
    | Fact::RefusalArrived { text, .. }
    | Fact::ArgumentsArrived { text, .. } = fact
    {
        Some(text)
    } else {
        None
    }
}
