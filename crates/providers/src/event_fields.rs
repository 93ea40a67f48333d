//! The fields of an event of a stream.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use serde::de::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::Error;
use crate::limits::TOO_MANY_VALUES;
use crate::raw_json::{has_more_values, object_as_written, raw_fields, readable};
use antiphon_protocol::{Json, JsonObject};

/// The fields of a JSON object as values, in their order.
pub(crate) type ReadFields = Map<String, Value>;

/// An event: a JSON object. What of it can't be read costs nothing but itself.
pub(crate) struct EventFields<'a> {
    pub(crate) fields: WrittenFields<'a>,
    /// Whether not all of it could be read.
    is_mended: bool,
}

/// The fields of an object that a provider wrote: as they were read, to find out what they say, and as they were written,
/// to be passed on.
#[derive(Default)]
pub(crate) struct WrittenFields<'a> {
    read: ReadFields,
    /// The object; empty for one that is made here.
    written: &'a str,
}

impl<'a> EventFields<'a> {
    /// Reads the event; none for anything but an object, and for one of more values than that.
    pub(crate) fn parse(data: &'a str, most_values: usize) -> Option<Self> {
        // Serde would read a list as well where it expects fields.
        if !data.starts_with('{') || has_more_values(data, most_values) {
            return None;
        }
        if let Ok(fields) = serde_json::from_str(data) {
            return Some(Self { fields: WrittenFields { read: fields, written: data }, is_mended: false });
        }
        let Value::Object(fields) = readable(data)? else { return None };
        Some(Self { fields: WrittenFields { read: fields, written: data }, is_mended: true })
    }

    /// What is wrong with data that is no event.
    pub(crate) fn fault(data: &str, most_values: usize) -> Error {
        match has_more_values(data, most_values) {
            true => TOO_MANY_VALUES,
            false => Error::Protocol { what: "an event has not the form of one" },
        }
    }

    /// Reads the texts of the event that are pieces of a longer one, if halves of characters are in it.
    pub(crate) fn pieces<T: Deserialize<'a>>(&self) -> Option<T> {
        self.is_mended.then(|| serde_json::from_str(self.fields.written).ok()).flatten()
    }

    /// The fields at the top that would be written otherwise than they were, as they were written.
    pub(crate) fn written_otherwise(&self) -> BTreeMap<String, Json> {
        let WrittenFields { read, written } = &self.fields;
        let changes = |value: &Value| match value {
            Value::Null | Value::Bool(_) | Value::String(_) => false,
            Value::Number(number) => number.is_f64(),
            Value::Array(values) => !values.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
        };
        let is_odd = |value: &Value| self.is_mended || changes(value);
        if !read.values().any(is_odd) {
            return BTreeMap::new();
        }
        object_as_written(written).iter().filter(|(key, _)| read.get(key).is_some_and(is_odd)).collect()
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

impl<'a> WrittenFields<'a> {
    /// Fields that nobody wrote.
    pub(crate) fn made(key: &str, value: Value) -> Self {
        Self { read: ReadFields::from_iter([(key.to_owned(), value)]), written: "" }
    }

    /// What was read.
    pub(crate) fn into_read(self) -> ReadFields {
        self.read
    }

    /// The fields as they were written, but for those of these keys.
    pub(crate) fn written_without(&self, keys: &[&str]) -> JsonObject {
        object_as_written(self.written).without(keys)
    }

    /// The value of a field as it was written; the last one if it comes more than once.
    pub(crate) fn written(&self, key: &str) -> Option<&'a RawValue> {
        raw_fields(self.written, &[key])?.pop().map(|(_, value)| value)
    }

    /// The object of a field; none where there is none.
    pub(crate) fn take_object(&mut self, key: &str) -> Option<Self> {
        let written = self.written(key).map(RawValue::get).unwrap_or_default();
        let Value::Object(read) = self.read.get_mut(key).filter(|value| value.is_object())?.take() else { return None };
        Some(Self { read, written })
    }

    /// The entries of a list, `made` of those that are no objects; none where there is no list.
    pub(crate) fn take_entries(
        &mut self,
        key: &str,
        made: impl Fn(Value) -> Option<Self>,
    ) -> Option<Vec<Option<Self>>> {
        let written = self.written(key).map(RawValue::get).unwrap_or_default();
        let written: Vec<&RawValue> = serde_json::from_str(written).unwrap_or_default();
        let Value::Array(values) = self.read.get_mut(key).filter(|value| value.is_array())?.take() else { return None };
        let mut written = written.into_iter().map(RawValue::get);
        let entry = |value| match (value, written.next().unwrap_or_default()) {
            (Value::Object(read), written) => Some(Self { read, written }),
            (other, _) => made(other),
        };
        Some(values.into_iter().map(entry).collect())
    }
}

impl Deref for WrittenFields<'_> {
    type Target = ReadFields;

    fn deref(&self) -> &ReadFields {
        &self.read
    }
}

impl DerefMut for WrittenFields<'_> {
    fn deref_mut(&mut self) -> &mut ReadFields {
        &mut self.read
    }
}
