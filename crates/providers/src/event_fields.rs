//! The fields of an event of a stream.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use antiphon_protocol::Extra;

/// An event: a JSON object. Half a character in one of its texts costs nothing but itself.
pub(crate) struct EventFields<'a> {
    pub(crate) fields: Extra,
    /// What it was read from, if there are halves of characters in it.
    with_halves: Option<&'a str>,
}

impl<'a> EventFields<'a> {
    /// Reads the event; none for anything but an object.
    pub(crate) fn parse(data: &'a str) -> Option<Self> {
        // Serde would read a list as well where it expects fields.
        if !data.starts_with('{') {
            return None;
        }
        if let Ok(fields) = serde_json::from_str(data) {
            return Some(Self { fields, with_halves: None });
        }
        let Cow::Owned(repaired) = without_halves(data) else { return None };
        Some(Self { fields: serde_json::from_str(&repaired).ok()?, with_halves: Some(data) })
    }

    /// Reads the texts of the event that are pieces of a longer one, if halves of characters are in it.
    pub(crate) fn pieces<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.with_halves?).ok()
    }

    /// The text of a field, and none if it is missing, null, or no text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key).and_then(Value::as_str)
    }
}

/// The JSON with U+FFFD for each escape of half a character whose other half does not stand beside it.
fn without_halves(json: &str) -> Cow<'_, str> {
    let mut repaired = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        let escape = at + found;
        at = match (half_at(json, escape), half_at(json, escape + ESCAPE)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => escape + 2 * ESCAPE,
            (Some(_), _) => {
                repaired.push_str(&json[copied..escape]);
                repaired.push_str("\\ufffd");
                copied = escape + ESCAPE;
                copied
            }
            // The next byte is escaped; one that is not ASCII can't be.
            (None, _) => escape + 2,
        };
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    repaired.push_str(&json[copied..]);
    Cow::Owned(repaired)
}

/// The bytes of an escape: `\u` and four digits.
const ESCAPE: usize = 6;

/// The half of a character that is escaped at that place.
fn half_at(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xD800..=0xDFFF).contains(unit))
}
