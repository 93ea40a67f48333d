//! The form of a chunk, by which one is mended that has something odd beside its words.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::lenient;
use crate::text_piece::TextPiece;

/// What a value must be in which others are looked for.
pub(super) enum ChunkForm {
    /// An object, with the forms of its fields. A field that is not named can have any form.
    Object(&'static [(&'static str, ChunkForm)]),
    /// A list of such objects, or one alone.
    Objects(&'static [(&'static str, ChunkForm)]),
}

use ChunkForm::{Object, Objects};

/// The form of a chunk.
pub(super) const CHUNK: ChunkForm = Object(&[("choices", Objects(&[("delta", DELTA), ("message", DELTA)]))]);

const DELTA: ChunkForm = Object(&[("tool_calls", Objects(&[("function", FUNCTION)])), ("function_call", FUNCTION)]);

const FUNCTION: ChunkForm = Object(&[]);

/// A list stands where an object must be: it may hold words, and nobody knows where.
pub(super) struct Unreadable;

impl ChunkForm {
    /// Writes the value in this form, without what is in none; none if it says nothing in this form itself. Of a key that
    /// comes twice, the last one counts.
    pub(super) fn mended(&self, json: &RawValue) -> Result<Option<String>, Unreadable> {
        match self {
            Object(fields) => object(fields, json),
            Objects(fields) => {
                let entries = lenient::entries(json).into_iter().filter_map(|entry| object(fields, entry).transpose());
                let entries: Vec<String> = entries.collect::<Result<_, _>>()?;
                Ok(Some(format!("[{}]", entries.join(","))))
            }
        }
    }
}

fn object(forms: &[(&str, ChunkForm)], json: &RawValue) -> Result<Option<String>, Unreadable> {
    match json.get().as_bytes().first() {
        Some(b'{') => {}
        Some(b'[') if lenient::entries(json).into_iter().any(lenient::says_anything) => return Err(Unreadable),
        Some(_) | None => return Ok(None),
    }
    let LastFields(fields) = serde_json::from_str(json.get()).map_err(|_| Unreadable)?;
    let mut written = Vec::with_capacity(fields.len());
    for (key, value) in fields {
        let value = match forms.iter().find(|(name, _)| *name == key) {
            Some((_, form)) => form.mended(value)?,
            None => Some(value.get().to_owned()),
        };
        written.extend(value.map(|value| format!("{}:{value}", Value::from(key))));
    }
    Ok(Some(format!("{{{}}}", written.join(","))))
}

/// The fields of an object as they are written; of one that comes twice the last.
struct LastFields<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for LastFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LastFieldsVisitor)
    }
}

struct LastFieldsVisitor;

impl<'de> Visitor<'de> for LastFieldsVisitor {
    type Value = LastFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LastFields<'de>, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<TextPiece, _>()? {
            fields.insert(key.into_text(), value);
        }
        Ok(LastFields(fields))
    }
}
