//! Text that comes in pieces of JSON, of which one can end in the middle of a character.
//!
//! JSON can write a character beyond the first 65,536 as two escapes, the halves of UTF-16. Servers that cut text by those
//! send one half at the end of a piece, and the other one at the beginning of the next.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The text of one JSON string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextPiece {
    /// Text without halves of characters.
    Whole(String),
    /// Text with halves that stand alone, each written as UTF-8 would write its number.
    Halves(Vec<u8>),
}

/// Joins the pieces of one text, and so the halves of a character that two of them hold.
#[derive(Debug, Default)]
pub(crate) struct TextJoiner {
    /// The first half of a character, which ended the last piece.
    first_half: Option<u16>,
}

impl TextPiece {
    /// Reads a JSON string; none for any other JSON.
    pub(crate) fn parse(json: &str) -> Option<Self> {
        let quoted = json.strip_prefix('"')?.strip_suffix('"')?;
        if !quoted.contains(['\\', '"']) {
            return Some(Self::Whole(quoted.to_owned()));
        }
        serde_json::from_str(json).ok()
    }

    /// The pieces of one text as one piece.
    pub(crate) fn of(pieces: impl IntoIterator<Item = Self>) -> Self {
        let mut joiner = TextJoiner::default();
        let mut text: String = pieces.into_iter().map(|piece| joiner.join(piece)).collect();
        text.extend(joiner.end());
        Self::Whole(text)
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Whole(text) => text.is_empty(),
            Self::Halves(bytes) => bytes.is_empty(),
        }
    }

    /// The text; a half that stands alone becomes U+FFFD.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Whole(text) => text,
            Self::Halves(bytes) => String::from_utf16_lossy(&units(&bytes)),
        }
    }
}

impl TextJoiner {
    /// Returns the text of the piece, with what the last one held back. The first half of a character at its end is held
    /// back; any other half that stands alone becomes U+FFFD.
    pub(crate) fn join(&mut self, piece: TextPiece) -> String {
        match (self.first_half, piece) {
            (None, TextPiece::Whole(text)) => text,
            (Some(_), TextPiece::Whole(text)) if text.is_empty() => text,
            (_, TextPiece::Whole(text)) => self.join_units(text.encode_utf16()),
            (_, TextPiece::Halves(bytes)) => self.join_units(units(&bytes)),
        }
    }

    /// Ends the text. Returns what stands for a half that was held back.
    pub(crate) fn end(&mut self) -> Option<char> {
        self.first_half.take().map(|_| char::REPLACEMENT_CHARACTER)
    }

    fn join_units(&mut self, units: impl IntoIterator<Item = u16>) -> String {
        let mut all: Vec<u16> = self.first_half.take().into_iter().chain(units).collect();
        self.first_half = all.pop_if(|unit| matches!(unit, 0xD800..0xDC00));
        String::from_utf16_lossy(&all)
    }
}

/// The text as UTF-16.
fn units(mut bytes: &[u8]) -> Vec<u16> {
    let mut units = Vec::with_capacity(bytes.len());
    while let Some(chunk) = bytes.utf8_chunks().next() {
        units.extend(chunk.valid().encode_utf16());
        bytes = bytes.get(chunk.valid().len()..).unwrap_or_default();
        bytes = match bytes {
            [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, rest @ ..] => {
                units.push(0xD000 | u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F));
                rest
            }
            [_, rest @ ..] => {
                units.extend(char::REPLACEMENT_CHARACTER.encode_utf16(&mut [0]).iter());
                rest
            }
            [] => break,
        };
    }
    units
}

impl<'de> Deserialize<'de> for TextPiece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, a JSON string may hold halves of characters.
        deserializer.deserialize_bytes(PieceVisitor)
    }
}

struct PieceVisitor;

impl Visitor<'_> for PieceVisitor {
    type Value = TextPiece;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TextPiece, E> {
        Ok(TextPiece::Whole(text.to_owned()))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<TextPiece, E> {
        Ok(match std::str::from_utf8(bytes) {
            Ok(text) => TextPiece::Whole(text.to_owned()),
            Err(_) => TextPiece::Halves(bytes.to_vec()),
        })
    }
}
