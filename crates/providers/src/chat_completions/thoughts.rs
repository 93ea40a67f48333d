//! The thoughts of an answer, kept in the form in which their model wants them back.

use serde::Deserialize;
use serde_json::Value;

use super::detail::{PIECES, ThoughtDetail};
use super::field_allowance::FieldAllowance;
use super::words::summary_part;
use crate::event_fields::EventFields;
use crate::lenient;
use crate::seal::{Origin, Sealed, SealedThought, ThoughtField};
use crate::text_piece::{TextJoiner, TextPiece};
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};

/// The thought that the model has now.
pub(super) struct ChatThoughts {
    origin: Origin,
    /// Whether its words are sealed too: the client asked for it, and may keep nothing else.
    with_words: bool,
    /// The most entries of one thought.
    most_details: usize,
    thought: Option<SealedThought>,
    /// The entries of `reasoning_details`, as far as they came.
    details: Vec<ThoughtDetail>,
    /// What joins the halves of characters in the texts and summaries of its details.
    joiners: [TextJoiner; PIECES.len()],
}

/// The fields of a detail that come in pieces, where halves of characters are in them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DetailPieces {
    #[serde(deserialize_with = "lenient::text")]
    text: Option<TextPiece>,
    #[serde(deserialize_with = "lenient::text")]
    summary: Option<TextPiece>,
}

impl ChatThoughts {
    pub(super) fn new(origin: Origin, asked: &ProviderRequest, limits: UpstreamLimits) -> Self {
        Self {
            origin,
            with_words: asked.request.wants_encrypted_reasoning(),
            most_details: limits.details(),
            thought: None,
            details: Vec::new(),
            joiners: Default::default(),
        }
    }

    /// Takes words of the thought.
    pub(super) fn think(&mut self, field: ThoughtField, words: &str) {
        let thought = self.thought.get_or_insert_default();
        thought.field.get_or_insert(field);
        if self.with_words {
            thought.text.get_or_insert_default().push_str(words);
        }
    }

    /// Reads an entry of `reasoning_details`, with the halves of characters joined that it and the one before hold.
    pub(super) fn join(&mut self, entry: EventFields<'_>) -> ThoughtDetail {
        let DetailPieces { mut text, mut summary } = entry.pieces().unwrap_or_default();
        let [of_text, of_summary] = &mut self.joiners;
        ThoughtDetail::of(entry, |key, words| {
            let (piece, joiner) =
                if key == "text" { (text.take(), &mut *of_text) } else { (summary.take(), &mut *of_summary) };
            joiner.join(piece.unwrap_or(TextPiece::Whole(words)))
        })
    }

    /// Ends the words of the details: adds what stands for half a character whose other half never came.
    pub(super) fn end_words(&mut self, events: &mut Vec<ProviderEvent>) {
        let mut last = self.details.last_mut();
        for (key, joiner) in PIECES.into_iter().zip(&mut self.joiners) {
            let (Some(half), Some(last)) = (joiner.end(), &mut last) else { continue };
            if let Some(Value::String(words)) = last.fields.get_mut(key) {
                words.push(half);
            }
            let text = half.to_string();
            events.push(match key {
                "summary" => ProviderEvent::ReasoningSummary { part: summary_part(&last.fields), text },
                _ => ProviderEvent::Reasoning { text },
            });
        }
    }

    /// Takes an entry of `reasoning_details`, or a piece of the last one. Servers want the entries back unchanged.
    ///
    /// # Errors
    /// [`Error::Protocol`] for too many entries of one thought, and for more bytes than the answer may have of them.
    pub(super) fn detail(&mut self, detail: ThoughtDetail, allowance: &mut FieldAllowance) -> Result<(), Error> {
        self.thought.get_or_insert_default();
        let count = self.details.len();
        if let Some(last) = self.details.last_mut().filter(|last| last.is_same(&detail)) {
            return last.grow(detail, allowance);
        }
        if count >= self.most_details {
            return Err(Error::Protocol { what: "more details of a thought than four times limits.provider_items" });
        }
        detail.count(allowance)?;
        self.details.push(detail);
        Ok(())
    }

    /// Ends the thought, if there is one, with its sealed form.
    pub(super) fn end(&mut self, events: &mut Vec<ProviderEvent>) {
        self.end_words(events);
        let details = std::mem::take(&mut self.details).into_iter().map(ThoughtDetail::into_written).collect();
        let thought = self.thought.take().map(|thought| SealedThought { details, ..thought });
        let sealed = thought.and_then(|thought| self.origin.seal(&Sealed::Thought(thought)));
        events.extend(sealed.map(|encrypted_content| ProviderEvent::EncryptedReasoning { encrypted_content }));
    }
}
