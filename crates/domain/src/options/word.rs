//! Words of a fixed set. The error for any other word lists the valid ones.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};

/// Reads one of the words of `T`.
///
/// # Errors
/// If the value is no text, or another word; the error lists the words.
pub fn deserialize<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let word = String::deserialize(deserializer)?;
    let read = T::deserialize(StrDeserializer::<serde::de::value::Error>::new(&word));
    read.map_err(D::Error::custom)
}

/// Reads one of the words of `T`, for a field that may be absent.
///
/// # Errors
/// As [`deserialize`].
pub fn optional<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserialize(deserializer).map(Some)
}
