//! Words of a fixed set. Who writes another one is told which there are.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};

pub(super) fn deserialize<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let word = String::deserialize(deserializer)?;
    let read = T::deserialize(StrDeserializer::<serde::de::value::Error>::new(&word));
    read.map_err(D::Error::custom)
}

/// The same for a word that may be absent.
pub(super) fn optional<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserialize(deserializer).map(Some)
}
