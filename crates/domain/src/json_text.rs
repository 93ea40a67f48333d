//! JSON inside of a format that can't hold it: as text. For `#[serde(with = "json_text")]`.

use antiphon_protocol::JsonObject;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// The key of a value that is nested too deeply to be read back.
pub(super) fn too_deep(fields: &JsonObject) -> Option<String> {
    fields.iter().find(|(_, value)| value.levels() >= DEEPEST).map(|(key, _)| key)
}
