//! JSON of providers before it is read: what of it is needed, how many values it has, and what of it can't be read.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::text_piece::TextPiece;
use antiphon_protocol::{Json, JsonObject};

/// How many levels are kept of JSON that passes through as it is, or that can't be read as a whole. Serde reads 128 where
/// nothing is around it, and the facts of a response hold 63.
const MOST_LEVELS: usize = 60;

/// Whether the JSON has more values than that, at every depth, and must not be read. Texts are one value each, however
/// long they are.
pub(crate) fn has_more_values(json: &str, most: usize) -> bool {
    // Each value takes at least two bytes.
    if json.len() <= most.saturating_mul(2) {
        return false;
    }
    let (mut values, mut rest) = (1, json);
    while let Some(at) = rest.find(['"', ',', '[', '{']) {
        let (_, found) = rest.split_at(at);
        rest = if found.starts_with('"') { split_text(found).1 } else { found.get(1..).unwrap_or_default() };
        values += usize::from(!found.starts_with('"'));
    }
    values > most
}

/// The object with those of its fields that are named, as JSON; none if it is no object. Of a field that comes twice the
/// last one counts.
pub(crate) fn select(json: &str, keys: &[&str]) -> Option<String> {
    let fields = raw_fields(json, keys)?;
    let field = |(key, value): &(String, &RawValue)| format!("{}:{value}", Value::from(key.as_str()));
    Some(format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(",")))
}

/// Those fields of an object that are named, as they are written; none if it is no object.
pub(crate) fn raw_fields<'a>(json: &'a str, keys: &[&str]) -> Option<Vec<(String, &'a RawValue)>> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let fields = Selection(keys).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok().map(|()| fields)
}

/// Reads JSON that may have something in it that is no value here: half a character, a number beyond all bounds, more
/// levels than anybody needs. Half a character becomes U+FFFD, and the rest null. None if it is no JSON.
pub(crate) fn readable(json: &str) -> Option<Value> {
    serde_json::from_str(json).ok().or_else(|| parse_mended(json))
}

/// The JSON as it is, to be kept; with more levels than anybody needs, what is deeper becomes null. None if it is no JSON.
pub(crate) fn as_written(json: &str) -> Option<Json> {
    let written: Result<Json, _> = serde_json::from_str(json);
    written.ok().filter(|written| written.levels() <= MOST_LEVELS).or_else(|| parse_mended(json).map(Json::from))
}

/// The object as it is, to be kept; what can't be read or is too deep is replaced. Empty for anything else.
pub(crate) fn object_as_written(json: &str) -> JsonObject {
    let written: Result<Json, _> = serde_json::from_str(json);
    let written = written.ok().filter(|written| written.levels() <= MOST_LEVELS);
    let object: Option<JsonObject> = written.and_then(|written| serde_json::from_str(written.as_str()).ok());
    object.or_else(|| serde_json::from_str(&mended(json)).ok()).unwrap_or_default()
}

fn parse_mended(json: &str) -> Option<Value> {
    // That there is a value goes without looking at what it is.
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    serde_json::from_str(&mended(json)).ok()
}

/// The JSON with everything in it that can't be read replaced.
fn mended(json: &str) -> String {
    let (mut mended, mut rest, mut level) = (String::with_capacity(json.len()), json, 0_usize);
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '"' => split_text(rest),
            '-' | '0'..='9' => split_number(rest),
            _ => rest.split_at(first.len_utf8()),
        };
        rest = after;
        level += usize::from(matches!(first, '[' | '{'));
        match first {
            '[' | '{' if level == MOST_LEVELS + 1 => mended.push_str("null"),
            _ if level > MOST_LEVELS => {}
            '"' if token.contains("\\u") => mended.push_str(&mended_text(token)),
            '-' | '0'..='9' if !token.parse().is_ok_and(f64::is_finite) => mended.push_str("null"),
            _ => mended.push_str(token),
        }
        level -= usize::from(matches!(first, ']' | '}'));
    }
    mended
}

fn mended_text(token: &str) -> String {
    TextPiece::parse(token).map_or(Value::Null, |text| text.into_text().into()).to_string()
}

/// Splits behind the text that the JSON begins with.
fn split_text(json: &str) -> (&str, &str) {
    let mut is_escaped = true;
    let end = json.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    json.split_at(end.map_or(json.len(), |end| end + 1))
}

fn split_number(json: &str) -> (&str, &str) {
    json.split_at(
        json.find(|char: char| !matches!(char, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(json.len()),
    )
}

struct Selection<'k>(&'k [&'k str]);

impl<'de> DeserializeSeed<'de> for Selection<'_> {
    type Value = Vec<(String, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Selection<'_> {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(String, &RawValue)> = Vec::new();
        while let Some(key) = map.next_key().map(|key| key.map(TextPiece::into_text))? {
            if !self.0.contains(&key.as_str()) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value()?;
            match fields.iter_mut().find(|(known, _)| *known == key) {
                Some(known) => known.1 = value,
                None => fields.push((key, value)),
            }
        }
        Ok(fields)
    }
}
