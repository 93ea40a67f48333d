//! JSON inside of a format that can't hold it: as text. For `#[serde(with = "json_text")]`.

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use antiphon_protocol::Json;

/// Writes a value as JSON text.
///
/// # Errors
/// If it has no form in JSON, or the format can't hold the text.
pub fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::to_string(value).map_err(S::Error::custom)?.serialize(serializer)
}

/// Reads a value of JSON text.
///
/// # Errors
/// If there is no such text.
pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(D::Error::custom)
}

/// How deeply JSON of a provider may be nested: half of what `serde_json` reads, since it is read inside of items and
/// events.
const DEEPEST: usize = 64;

/// Whether a value is nested too deeply to be read back.
pub(super) fn is_too_deep(value: &Value) -> bool {
    is_deeper_than(value, DEEPEST)
}

/// The same of a value as it was written.
pub(super) fn is_too_deep_as_written(value: &Json) -> bool {
    value.levels() >= DEEPEST
}

/// Whether a value is nested deeper than that many levels.
fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let Some(inner) = levels.checked_sub(1) else { return true };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        Value::Array(values) => values.iter().any(|value| is_deeper_than(value, inner)),
        Value::Object(fields) => fields.values().any(|value| is_deeper_than(value, inner)),
    }
}
