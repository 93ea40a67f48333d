//! Fields of a provider's JSON that are read if they make sense, and are none otherwise: one beside the words that is odd
//! must not cost the words. For `#[serde(deserialize_with)]`, with fields that may be missing.

#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::text_piece::TextPiece;

/// Reads a text; none for anything else, and for an empty text.
///
/// # Errors
/// If the JSON is broken.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TextPiece>, D::Error> {
    Ok(TextPiece::parse(json(deserializer)?).filter(|text| !text.is_empty()))
}

/// Reads a word: a text, or a number as it is written; none for anything else, and for an empty text.
///
/// # Errors
/// If the JSON is broken.
pub(crate) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let json = json(deserializer)?;
    let word = match json.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Some(json.to_owned()),
        _ => TextPiece::parse(json).map(TextPiece::into_text),
    };
    Ok(word.filter(|word| !word.is_empty()))
}

/// Reads the number of a place: a whole number that is not negative, also as a text; none for anything else.
///
/// # Errors
/// If the JSON is broken.
pub(crate) fn place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(json(deserializer)?.trim_matches('"').parse().ok())
}

/// Reads a value of a form of its own; none for any other.
pub(crate) fn value<T: DeserializeOwned>(json: &RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

/// Reads an object; none for null.
///
/// # Errors
/// For anything else.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::<Object<T>>::deserialize(deserializer).map(|object| object.map(|Object(value)| value))
}

/// The entries of a list. One that stands alone is a list of itself.
pub(crate) fn entries(json: &RawValue) -> Vec<&RawValue> {
    match json.get().as_bytes().first() {
        Some(b'[') => serde_json::from_str(json.get()).unwrap_or_default(),
        Some(b'{' | b'"') => vec![json],
        Some(_) | None => Vec::new(),
    }
}

/// Whether a value says anything. Null, false, zero and what is empty do not.
pub(crate) fn says_anything(json: &RawValue) -> bool {
    match json.get().as_bytes() {
        [b'n' | b'f', ..] | b"0" | b"\"\"" => false,
        [b'[' | b'{', inner @ ..] => !matches!(inner.trim_ascii_start(), [b']' | b'}', ..]),
        _ => true,
    }
}

/// The same of a value that was read.
pub(crate) fn value_says_anything(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_u64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// A value that must be an object: for a struct, serde takes a list too, as the fields in their order.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapOnly(PhantomData))
    }
}

struct MapOnly<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MapOnly<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'de str, D::Error> {
    <&RawValue>::deserialize(deserializer).map(RawValue::get)
}
