//! What was told of an answer, as far as a whole message behind it has to be compared with it.

use std::collections::BTreeMap;

use crate::ProviderEvent;
use crate::said_text::SaidText;
use antiphon_domain::CallIndex;

/// The words and calls of an answer.
#[derive(Default)]
pub(super) struct SaidAnswer {
    text: SaidText,
    thoughts: SaidText,
    calls: BTreeMap<CallIndex, SaidCall>,
    /// How many items of other kinds there were.
    others: usize,
}

#[derive(Default)]
struct SaidCall {
    name: String,
    /// Without the white space that is in no text.
    arguments: SaidText,
    is_in_text: bool,
    is_escaped: bool,
}

impl SaidAnswer {
    /// Notes what the events tell.
    pub(super) fn note(&mut self, events: &[ProviderEvent]) {
        for event in events {
            self.others += usize::from(matches!(event, ProviderEvent::OtherItemStarted { .. }));
            if let ProviderEvent::Text { text, .. } = event {
                self.text.add(text);
            }
            if let ProviderEvent::Reasoning { text } = event {
                self.thoughts.add(text);
            }
            if let ProviderEvent::FunctionCallStarted { call, name, .. } = event {
                self.calls.entry(*call).or_default().name.clone_from(name);
            }
            if let ProviderEvent::FunctionCallArguments { call, text } = event {
                self.calls.entry(*call).or_default().add(text);
            }
        }
    }

    /// Whether both say the same.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let mut calls = self.calls.values().zip(other.calls.values());
        self.text.is_same(&other.text)
            && self.thoughts.is_same(&other.thoughts)
            && self.others == other.others
            && self.calls.len() == other.calls.len()
            && calls.all(|(call, other)| call.is_same(other))
    }
}

impl SaidCall {
    fn add(&mut self, text: &str) {
        let is_said = |char: &char| {
            let is_quote = *char == '"' && !self.is_escaped;
            self.is_escaped = self.is_in_text && *char == '\\' && !self.is_escaped;
            self.is_in_text ^= is_quote;
            self.is_in_text || !char.is_ascii_whitespace()
        };
        let said: String = text.chars().filter(is_said).collect();
        self.arguments.add(&said);
    }

    fn is_same(&self, other: &Self) -> bool {
        let are_none = |call: &Self| call.arguments.bytes() == 0 || call.arguments.is("{}");
        self.name == other.name && (self.arguments.is_same(&other.arguments) || (are_none(self) && are_none(other)))
    }
}
