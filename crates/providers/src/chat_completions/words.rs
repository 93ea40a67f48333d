//! The content of a delta beside calls: reasoning, text and refusals, in the order in which they are passed on.

use serde_json::Value;

use super::chunk::{ChunkDelta, DeltaContent, DeltaPart};
use crate::seal::ThoughtField;
use antiphon_protocol::Extra;

/// A piece of content. None of the texts is empty.
pub(super) enum ChatWords {
    /// A piece of a thought, with the field that it came in; none for the details of thoughts.
    Thought(Option<ThoughtField>, String),
    /// A piece of a summary of the reasoning, with the summary's number.
    Summary(u32, String),
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
        let details = self.reasoning_details.iter().flatten();
        let thoughts: Vec<ChatWords> = details.filter_map(words_of_detail).collect();
        if !thoughts.is_empty() {
            return thoughts;
        }
        let names = [
            (ThoughtField::ReasoningContent, self.reasoning_content.take()),
            (ThoughtField::Reasoning, self.reasoning.take()),
        ];
        let thought = |(field, text): (_, Option<String>)| Some(ChatWords::Thought(Some(field), present(text?)?));
        names.into_iter().find_map(thought).into_iter().collect()
    }
}

/// The words of an entry of `reasoning_details`.
fn words_of_detail(detail: &Extra) -> Option<ChatWords> {
    let text = |key: &str| detail.get(key).and_then(Value::as_str).map(str::to_owned).and_then(present);
    match detail.get("type")?.as_str()? {
        "reasoning.text" => Some(ChatWords::Thought(None, text("text")?)),
        "reasoning.summary" => {
            let part = detail.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
            Some(ChatWords::Summary(part.unwrap_or_default(), text("summary")?))
        }
        _ => None,
    }
}

impl DeltaPart {
    /// None for parts that are not text: pictures, references.
    fn words(self) -> Option<ChatWords> {
        match self.kind.as_deref() {
            Some("text" | "output_text") | None => self.text.and_then(present).map(ChatWords::Text),
            Some("refusal") => self.refusal.and_then(present).map(ChatWords::Refusal),
            Some("thinking") => {
                let thought = self.thinking.map(DeltaContent::into_text).and_then(present)?;
                Some(ChatWords::Thought(Some(ThoughtField::Thinking), thought))
            }
            Some(_) => None,
        }
    }
}

fn present(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
