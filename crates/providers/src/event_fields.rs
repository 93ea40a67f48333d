//! The fields of an event of a stream.

#[cfg(test)]
mod tests;

use serde::de::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::limits::TOO_MANY_VALUES;
use crate::raw_json::{has_more_values, readable};
use antiphon_protocol::Extra;

/// An event: a JSON object. What of it can't be read costs nothing but itself.
pub(crate) struct EventFields<'a> {
    pub(crate) fields: Extra,
    /// What it was read from, if not all of it could be.
    unreadable: Option<&'a str>,
}

impl<'a> EventFields<'a> {
    /// Reads the event; none for anything but an object, and for one of more values than that.
    pub(crate) fn parse(data: &'a str, most_values: usize) -> Option<Self> {
        // Serde would read a list as well where it expects fields.
        if !data.starts_with('{') || has_more_values(data, most_values) {
            return None;
        }
        if let Ok(fields) = serde_json::from_str(data) {
            return Some(Self { fields, unreadable: None });
        }
        let Value::Object(fields) = readable(data)? else { return None };
        Some(Self { fields, unreadable: Some(data) })
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
