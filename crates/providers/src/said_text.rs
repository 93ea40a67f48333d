//! Text that was passed on, as far as what follows has to be compared with it.

use std::hash::{DefaultHasher, Hasher as _};

use crate::text_piece::{TextJoiner, TextPiece};

/// The text of a part, or the arguments of a call.
#[derive(Default)]
pub(crate) struct SaidText {
    bytes: usize,
    /// Of all that was said, whatever its pieces were.
    hash: DefaultHasher,
    joiner: TextJoiner,
}

impl SaidText {
    /// How many bytes were said.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns what the piece adds. Half a character at its end is held back for the other half.
    pub(crate) fn join(&mut self, piece: TextPiece) -> String {
        let text = self.joiner.join(piece);
        self.add(&text);
        text
    }

    /// Returns what was not said yet of a text that is now told as a whole. A text that begins otherwise adds nothing:
    /// what was seen stays.
    pub(crate) fn complete(&mut self, whole: &str) -> String {
        let rest = match whole.split_at_checked(self.bytes) {
            Some((begin, rest)) if !rest.is_empty() && self.hash.finish() == hash_of(begin) => {
                self.joiner = TextJoiner::default();
                rest.to_owned()
            }
            Some(_) | None => return self.end(),
        };
        self.add(&rest);
        rest
    }

    /// Ends the text. Returns what stands for half a character that was held back.
    pub(crate) fn end(&mut self) -> String {
        let half = self.joiner.end().map(String::from).unwrap_or_default();
        self.add(&half);
        half
    }

    /// Whether that is what was said.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.bytes == text.len() && self.hash.finish() == hash_of(text)
    }

    /// Whether both are the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.hash.finish() == other.hash.finish()
    }

    /// Adds text that was said.
    pub(crate) fn add(&mut self, text: &str) {
        self.bytes += text.len();
        self.hash.write(text.as_bytes());
    }
}

fn hash_of(text: &str) -> u64 {
    let mut hash = DefaultHasher::default();
    hash.write(text.as_bytes());
    hash.finish()
}
