//! The text of the answer on its way to the port.

use crate::ProviderEvent;
use antiphon_protocol::LogProb;

/// Passes text on, but for white space at the beginning of a message: some servers send a line break or two between
/// reasoning and a call, which must not become a message of its own.
#[derive(Default)]
pub(super) struct ChatText {
    /// Whether the message has begun that the next piece belongs to.
    begun: bool,
    /// White space that may be the beginning of a message.
    held: String,
    /// Probabilities that came ahead of their text: a token can be a part of a character.
    logprobs: Vec<LogProb>,
}

impl ChatText {
    /// Adds probabilities of text that comes with them or later.
    pub(super) fn score(&mut self, logprobs: Vec<LogProb>) {
        self.logprobs.extend(logprobs);
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.begun
    }

    /// Whether a piece begins a message or continues one.
    pub(super) fn is_visible(&self, text: &str) -> bool {
        self.begun || !text.trim_start().is_empty()
    }

    /// Takes a piece of text.
    pub(super) fn push(&mut self, mut text: String, events: &mut Vec<ProviderEvent>) {
        self.begun = self.is_visible(&text);
        if !self.begun {
            return self.held.push_str(&text);
        }
        if !self.held.is_empty() {
            text.insert_str(0, &std::mem::take(&mut self.held));
        }
        events.push(ProviderEvent::Text { text, logprobs: std::mem::take(&mut self.logprobs) });
    }

    /// Notes a refusal, which is part of the message: what follows it does not begin one.
    pub(super) fn refuse(&mut self) {
        self.begun = true;
    }

    /// Notes reasoning, which ends the message. White space from before it can still be the beginning of the next.
    pub(super) fn think(&mut self) {
        self.begun = false;
    }

    /// Notes a call or the end of the answer, which ends the message. White space from before it is dropped.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}
