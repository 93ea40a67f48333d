//! The fields of an event of a stream.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::text_piece::TextPiece;
use antiphon_protocol::Extra;

/// An event: a JSON object. What of it can't be read costs nothing but itself.
pub(crate) struct EventFields<'a> {
    pub(crate) fields: Extra,
    /// What it was read from, if not all of it could be.
    unreadable: Option<&'a str>,
}

impl<'a> EventFields<'a> {
    /// Reads the event; none for anything but an object.
    pub(crate) fn parse(data: &'a str) -> Option<Self> {
        // Serde would read a list as well where it expects fields.
        if !data.starts_with('{') {
            return None;
        }
        if let Ok(fields) = serde_json::from_str(data) {
            return Some(Self { fields, unreadable: None });
        }
        serde_json::from_str::<RawFields<'_>>(data).ok()?;
        let Value::Object(fields) = readable(data, MOST_LEVELS) else { return None };
        Some(Self { fields, unreadable: Some(data) })
    }

    /// Reads the texts of the event that are pieces of a longer one, if halves of characters are in it.
    pub(crate) fn pieces<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.unreadable?).ok()
    }

    /// What kind of event it is: its type, or the `event:` line of servers that write it there alone. Empty if neither says
    /// it.
    pub(crate) fn kind<'k>(&'k self, line: Option<&'k str>) -> &'k str {
        self.text("type").filter(|kind| !kind.is_empty()).or(line).unwrap_or_default()
    }

    /// The text of a field, and none if it is missing, null, or no text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key).and_then(Value::as_str)
    }
}

/// How deeply values are looked into that can't be read as a whole.
const MOST_LEVELS: usize = 16;

/// The fields of an object that can't be read as a whole, in their order.
struct RawFields<'a>(Vec<(TextPiece, &'a RawValue)>);

/// Reads JSON that has something in it that is no value here: half a character, a number beyond all bounds, more levels
/// than anybody needs. Half a character becomes U+FFFD, and the rest null.
fn readable(json: &str, levels: usize) -> Value {
    if let Ok(value) = serde_json::from_str(json) {
        return value;
    }
    let inner = |value: &RawValue| readable(value.get(), levels - 1);
    match json.as_bytes().first() {
        _ if levels == 0 => Value::Null,
        Some(b'"') => serde_json::from_str(json).map_or(Value::Null, |text: TextPiece| text.into_text().into()),
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
            values.into_iter().map(inner).collect()
        }
        Some(b'{') => {
            let RawFields(fields) = serde_json::from_str(json).unwrap_or(RawFields(Vec::new()));
            fields.into_iter().map(|(key, value)| (key.into_text(), inner(value))).collect()
        }
        Some(_) | None => Value::Null,
    }
}

impl<'de> Deserialize<'de> for RawFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawFieldsVisitor)
    }
}

struct RawFieldsVisitor;

impl<'de> Visitor<'de> for RawFieldsVisitor {
    type Value = RawFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawFields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(RawFields(fields))
    }
}
