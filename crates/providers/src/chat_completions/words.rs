//! The content of a delta beside calls: reasoning, text and refusals, in the order in which they are passed on.

use super::chunk::{ChunkDelta, DeltaContent, DeltaPart, Detail};

/// A piece of content. None of the texts is empty.
pub(super) enum ChatWords {
    Thought(String),
    /// A piece of a summary of the reasoning, with the summary's number.
    Summary(u32, String),
    /// Reasoning in a form that only the provider can read.
    Sealed(String),
    Text(String),
    Refusal(String),
}

impl ChunkDelta {
    /// Takes the content out of the delta.
    pub(super) fn take_words(&mut self) -> Vec<ChatWords> {
        let mut words = self.take_thoughts();
        match self.content.take() {
            Some(DeltaContent::Text(text)) => words.extend(present(text).map(ChatWords::Text)),
            Some(DeltaContent::Parts(parts)) => words.extend(parts.into_iter().filter_map(DeltaPart::words)),
            None => {}
        }
        words.extend(self.refusal.take().and_then(present).map(ChatWords::Refusal));
        words
    }

    /// Servers that write reasoning under several names write the same each time. The details are the most complete
    /// form, but those of some chunks hold only the encrypted form, or a signature.
    fn take_thoughts(&mut self) -> Vec<ChatWords> {
        let mut thoughts: Vec<ChatWords> =
            self.reasoning_details.take().into_iter().flatten().filter_map(Detail::words).collect();
        let has_text = thoughts.iter().any(|thought| matches!(thought, ChatWords::Thought(_) | ChatWords::Summary(..)));
        if !has_text {
            let names = [self.reasoning_content.take(), self.reasoning.take()];
            let thought = names.into_iter().flatten().find_map(present).map(ChatWords::Thought);
            thoughts.splice(..0, thought);
        }
        thoughts
    }
}

impl Detail {
    fn words(self) -> Option<ChatWords> {
        match self.kind.as_deref()? {
            "reasoning.text" => self.text.and_then(present).map(ChatWords::Thought),
            "reasoning.summary" => {
                let part = self.index.unwrap_or_default();
                self.summary.and_then(present).map(|summary| ChatWords::Summary(part, summary))
            }
            "reasoning.encrypted" => self.data.and_then(present).map(ChatWords::Sealed),
            _ => None,
        }
    }
}

impl DeltaPart {
    /// None for parts that are not text: pictures, references.
    fn words(self) -> Option<ChatWords> {
        match self.kind.as_deref() {
            Some("text" | "output_text") | None => self.text.and_then(present).map(ChatWords::Text),
            Some("refusal") => self.refusal.and_then(present).map(ChatWords::Refusal),
            Some("thinking") => self.thinking.map(DeltaContent::into_text).and_then(present).map(ChatWords::Thought),
            Some(_) => None,
        }
    }
}

fn present(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
