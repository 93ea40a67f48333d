//! The content of a delta beside calls: reasoning, text and refusals, in the order in which they are passed on.

use serde_json::Value;

use super::chunk::{ChunkDelta, DeltaContent, DeltaPart};
use super::detail::ThoughtDetail;
use crate::event_fields::ReadFields;
use crate::seal::ThoughtField;
use crate::text_piece::TextPiece;

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
    pub(super) fn take_words(&mut self, details: &[ThoughtDetail]) -> Vec<ChatWords> {
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
    fn take_thoughts(&mut self, details: &[ThoughtDetail]) -> Vec<ChatWords> {
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
fn words_of_detail(ThoughtDetail { fields: detail, .. }: &ThoughtDetail) -> Option<ChatWords> {
    let text = |key: &str| detail.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let thought = |words| ChatWords::Thought(None, TextPiece::Whole(words));
    let summary = |words| ChatWords::Summary(summary_part(detail), words);
    match detail.get("type").and_then(Value::as_str) {
        Some("reasoning.summary") => text("summary").map(summary).or_else(|| text("text").map(thought)),
        Some("reasoning.encrypted") => None,
        Some(_) | None => text("text").map(thought).or_else(|| text("summary").map(summary)),
    }
}

/// The number of the summary that an entry of `reasoning_details` belongs to.
pub(super) fn summary_part(detail: &ReadFields) -> u32 {
    let part = detail.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
    part.unwrap_or_default()
}

impl DeltaPart {
    /// The words of a part, by its kind. What a part of a kind that is not known says is text. None for parts that say
    /// nothing: pictures, references.
    fn words(self) -> Option<ChatWords> {
        let Self { kind, text, refusal, thinking } = self;
        let thinking = thinking.map(|words| ChatWords::Thought(Some(ThoughtField::Thinking), words));
        let refusal = refusal.map(ChatWords::Refusal);
        match kind.as_deref() {
            Some("thinking" | "reasoning" | "reasoning_text") => {
                thinking.or_else(|| text.map(|words| ChatWords::Thought(None, words)))
            }
            Some("refusal") => refusal.or_else(|| text.map(ChatWords::Refusal)),
            Some(_) | None => text.map(ChatWords::Text).or(refusal).or(thinking),
        }
    }
}

fn has_words(text: &TextPiece) -> bool {
    !text.is_empty()
}
