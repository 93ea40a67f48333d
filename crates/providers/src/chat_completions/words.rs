//! The content of a delta beside calls: reasoning, text and refusals, in the order in which they are passed on.

use serde_json::Value;

use super::chunk::{ChunkDelta, DeltaContent, DeltaPart};
use crate::seal::ThoughtField;
use crate::text_piece::TextPiece;
use antiphon_protocol::Extra;

/// A piece of content. None of the texts is empty.
pub(super) enum ChatWords {
    /// A piece of a thought, with the field that it came in; none for the details of thoughts.
    Thought(Option<ThoughtField>, TextPiece),
    /// A piece of a summary of the reasoning, with the summary's number.
    Summary(u32, String),
    Text(TextPiece),
    Refusal(TextPiece),
}

impl ChunkDelta<'_> {
    /// Takes the content out of the delta, of which these are the details of thoughts.
    pub(super) fn take_words(&mut self, details: &[Extra]) -> Vec<ChatWords> {
        let mut words = self.take_thoughts(details);
        match self.content.take() {
            Some(DeltaContent::Text(text)) => words.extend(Some(text).filter(has_words).map(ChatWords::Text)),
            Some(DeltaContent::Parts(parts)) => words.extend(parts.into_iter().filter_map(DeltaPart::words)),
            None => {}
        }
        words.extend(self.refusal.take().map(ChatWords::Refusal));
        words
    }

    /// Servers that write reasoning under several names write the same each time. The details are the most complete
    /// form, but those of some chunks hold only the encrypted form, or a signature.
    fn take_thoughts(&mut self, details: &[Extra]) -> Vec<ChatWords> {
        let thoughts: Vec<ChatWords> = details.iter().filter_map(words_of_detail).collect();
        if !thoughts.is_empty() {
            return thoughts;
        }
        let names = [
            (ThoughtField::ReasoningContent, self.reasoning_content.take()),
            (ThoughtField::Reasoning, self.reasoning.take()),
        ];
        let thought = |(field, text): (_, Option<TextPiece>)| Some(ChatWords::Thought(Some(field), text?));
        names.into_iter().find_map(thought).into_iter().collect()
    }
}

/// The words of an entry of `reasoning_details`.
fn words_of_detail(detail: &Extra) -> Option<ChatWords> {
    let text = |key: &str| detail.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    match detail.get("type")?.as_str()? {
        "reasoning.text" => Some(ChatWords::Thought(None, TextPiece::Whole(text("text")?))),
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
            Some("text" | "output_text") | None => self.text.map(ChatWords::Text),
            Some("refusal") => self.refusal.map(ChatWords::Refusal),
            Some("thinking") => self.thinking.map(|text| ChatWords::Thought(Some(ThoughtField::Thinking), text)),
            Some(_) => None,
        }
    }
}

fn has_words(text: &TextPiece) -> bool {
    !text.is_empty()
}
