//! The form of a chunk, by which one is mended that has something odd beside its words.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::event_fields::RawFields;
use crate::lenient;

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
    let RawFields(fields) = serde_json::from_str(json.get()).map_err(|_| Unreadable)?;
    let mut last = BTreeMap::new();
    for (key, value) in fields {
        last.insert(key.into_text(), value);
    }
    let mut written = Vec::with_capacity(last.len());
    for (key, value) in last {
        let value = match forms.iter().find(|(name, _)| *name == key) {
            Some((_, form)) => form.mended(value)?,
            None => Some(value.get().to_owned()),
        };
        written.extend(value.map(|value| format!("{}:{value}", Value::from(key))));
    }
    Ok(Some(format!("{{{}}}", written.join(","))))
}
