//! The form of a chunk, by which one is mended that has something odd beside its words.

use std::collections::BTreeMap;

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

impl ChunkForm {
    /// Writes the value in this form, without what is in none; none if it is not in this form itself. Of a key that comes
    /// twice, the last one counts.
    pub(super) fn mended(&self, json: &str) -> Option<String> {
        match self {
            Object(fields) => object(fields, json),
            Objects(fields) => {
                let json: &RawValue = serde_json::from_str(json).ok()?;
                let entries: Vec<String> =
                    lenient::entries(json).into_iter().filter_map(|entry| object(fields, entry.get())).collect();
                Some(format!("[{}]", entries.join(",")))
            }
        }
    }
}

fn object(forms: &[(&str, ChunkForm)], json: &str) -> Option<String> {
    if !json.starts_with('{') {
        return None;
    }
    let RawFields(fields) = serde_json::from_str(json).ok()?;
    let mut last = BTreeMap::new();
    for (key, value) in fields {
        last.insert(key.into_text(), value);
    }
    let mut written = Vec::with_capacity(last.len());
    for (key, value) in last {
        let value = match forms.iter().find(|(name, _)| *name == key) {
            Some((_, form)) => form.mended(value.get()),
            None => Some(value.get().to_owned()),
        };
        if let Some(value) = value {
            written.push(format!("{}:{value}", serde_json::to_string(&key).ok()?));
        }
    }
    Some(format!("{{{}}}", written.join(",")))
}
