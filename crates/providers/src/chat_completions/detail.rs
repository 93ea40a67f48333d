//! An entry of `reasoning_details`, which comes in pieces and goes back as it was written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::field_allowance::FieldAllowance;
use crate::Error;
use crate::event_fields::{EventFields, ReadFields};
use antiphon_protocol::{Json, JsonObject};

/// The fields of a detail that come in pieces.
pub(super) const PIECES: [&str; 2] = ["text", "summary"];

/// The kind of detail that is never in pieces.
const ENCRYPTED: &str = "reasoning.encrypted";

/// An entry, or a piece of one.
pub(super) struct ThoughtDetail {
    /// What it says.
    pub(super) fields: ReadFields,
    /// Those of its fields that would be written otherwise than they were.
    written: BTreeMap<String, Json>,
}

impl ThoughtDetail {
    /// Reads an entry; `join` makes the text of a field that comes in pieces.
    pub(super) fn of(entry: EventFields<'_>, mut join: impl FnMut(&str, String) -> String) -> Self {
        let mut written = entry.written_otherwise();
        let mut fields = entry.fields.into_read();
        for key in PIECES {
            if let Some(Value::String(words)) = fields.get_mut(key) {
                *words = join(key, std::mem::take(words));
                written.remove(key);
            }
        }
        Self { fields, written }
    }

    /// Whether both are pieces of one entry.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let kind = |detail: &Self| detail.fields.get("type").and_then(Value::as_str).map(str::to_owned);
        let index = |detail: &Self| detail.fields.get("index").cloned();
        kind(self).as_deref() != Some(ENCRYPTED) && kind(self) == kind(other) && index(self) == index(other)
    }

    /// Takes the bytes of a new entry.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more than is allowed.
    pub(super) fn count(&self, allowance: &mut FieldAllowance) -> Result<(), Error> {
        let length = |(key, value): (&String, &Value)| length(key, value, self.written.get(key));
        self.fields.iter().map(length).try_for_each(|bytes| allowance.take(bytes))
    }

    /// Adds a piece to the entry. What the entry has already costs nothing: servers repeat all but the words.
    ///
    /// # Errors
    /// [`Error::Protocol`] for more than is allowed.
    pub(super) fn grow(&mut self, piece: Self, allowance: &mut FieldAllowance) -> Result<(), Error> {
        let Self { fields, mut written } = piece;
        for (key, value) in fields {
            let as_written = written.remove(&key).filter(|written| !written.is_null());
            match (self.fields.get_mut(&key), value) {
                (_, Value::Null) if as_written.is_none() => {}
                (Some(Value::String(text)), Value::String(more)) if PIECES.contains(&key.as_str()) => {
                    allowance.take(more.len())?;
                    text.push_str(&more);
                }
                (Some(known), value) if *known == value => {}
                (_, value) => {
                    allowance.take(length(&key, &value, as_written.as_ref()))?;
                    self.written.remove(&key);
                    self.written.extend(as_written.map(|written| (key.clone(), written)));
                    self.fields.insert(key, value);
                }
            }
        }
        Ok(())
    }

    /// The whole entry.
    pub(super) fn into_written(mut self) -> JsonObject {
        let written = |(key, value)| {
            let written = self.written.remove(&key).unwrap_or_else(|| Json::from(value));
            (key, written)
        };
        self.fields.into_iter().map(written).collect()
    }
}

/// The bytes of a field.
fn length(key: &str, value: &Value, written: Option<&Json>) -> usize {
    key.len() + written.map_or_else(|| value.to_string().len(), |written| written.as_str().len())
}
