//! JSON objects as they were written.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, value::RawValue};

use crate::Json;

#[cfg(test)]
mod tests;

/// A JSON object as it was written: the order of its keys, its numbers and keys that come twice are what they were.
///
/// It takes no more memory than its text, whatever is in it; looking for a key reads all of it. Writing it needs the
/// serializer of `serde_json`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct JsonObject {
    /// With its braces, or empty.
    text: String,
}

impl JsonObject {
    /// An object without keys.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: String::new() }
    }

    /// Whether it has no keys.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The value of a key; the last one if the key comes more than once.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Json> {
        self.pairs().into_iter().rfind(|(of, _)| of == key).map(|(_, value)| Json::of_raw(value))
    }

    /// The text of a key; none if it is missing, or no text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.get(key)?.as_str()).ok()
    }

    /// Whether it has the key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.pairs().iter().any(|(of, _)| of == key)
    }

    /// The pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (String, Json)> {
        self.pairs().into_iter().map(|(key, value)| (key, Json::of_raw(value)))
    }

    /// Adds a pair at the end.
    pub fn push(&mut self, key: &str, value: &Json) {
        self.push_with(key, |text| text.push_str(value.as_str()));
    }

    /// Adds the pairs of another object, in place of those of the same keys.
    pub fn replace(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        let new: HashSet<String> = other.pairs().into_iter().map(|(key, _)| key).collect();
        self.retain(|key, _| !new.contains(key));
        self.extend(other.iter());
    }

    /// The pairs of all these objects, in their order: of those of the same key, the ones of the last object that has it.
    #[must_use]
    pub fn merged(pieces: &[Self]) -> Self {
        let mut last = HashMap::new();
        for (piece, object) in pieces.iter().enumerate() {
            last.extend(object.pairs().into_iter().map(|(key, _)| (key, piece)));
        }
        let pairs = pieces.iter().enumerate().flat_map(|(piece, object)| object.iter().map(move |pair| (piece, pair)));
        pairs.filter(|(piece, (key, _))| last.get(key) == Some(piece)).map(|(_, pair)| pair).collect()
    }

    /// Leaves out the pairs that are not to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Json) -> bool) {
        *self = self.iter().filter(|(key, value)| keep(key, value)).collect();
    }

    /// The pairs of other keys than these.
    #[must_use]
    pub fn without(mut self, keys: &[&str]) -> Self {
        self.retain(|key, _| !keys.contains(&key));
        self
    }

    /// The object as JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.text.is_empty() { "{}" } else { &self.text }
    }

    fn push_with(&mut self, key: &str, write_value: impl FnOnce(&mut String)) {
        match self.text.pop() {
            Some(_brace) => self.text.push(','),
            None => self.text.push('{'),
        }
        self.text.push_str(&Value::from(key).to_string());
        self.text.push(':');
        write_value(&mut self.text);
        self.text.push('}');
    }

    #[expect(clippy::expect_used, reason = "the text is made here alone")]
    fn pairs(&self) -> Vec<(String, &RawValue)> {
        if self.text.is_empty() {
            return Vec::new();
        }
        let Pairs(pairs) = serde_json::from_str(&self.text).expect("the text is a JSON object");
        pairs
    }
}

impl<V: Into<Json>> FromIterator<(String, V)> for JsonObject {
    fn from_iter<T: IntoIterator<Item = (String, V)>>(pairs: T) -> Self {
        let mut object = Self::new();
        object.extend(pairs);
        object
    }
}

impl<V: Into<Json>> Extend<(String, V)> for JsonObject {
    fn extend<T: IntoIterator<Item = (String, V)>>(&mut self, pairs: T) {
        for (key, value) in pairs {
            self.push(&key, &value.into());
        }
    }
}

impl From<Map<String, Value>> for JsonObject {
    fn from(fields: Map<String, Value>) -> Self {
        fields.into_iter().collect()
    }
}

impl From<&Map<String, Value>> for JsonObject {
    fn from(fields: &Map<String, Value>) -> Self {
        fields.iter().map(|(key, value)| (key.clone(), value)).collect()
    }
}

// What clients send is content, and content is in no log.
impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonObject")
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.pairs() {
            map.serialize_entry(&key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonObjectVisitor;

        impl<'de> Visitor<'de> for JsonObjectVisitor {
            type Value = JsonObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonObject, A::Error> {
                let mut fields = JsonObject::new();
                while let Some(key) = map.next_key::<String>()? {
                    map.next_value_seed(UnknownField { key: &key, fields: &mut fields })?;
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(JsonObjectVisitor)
    }
}

/// The pairs of an object, of which some come twice.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}

/// The type of an object, by its key `type`, and the object as it was written, to be read as what that type says.
///
/// Not `#[serde(tag)]`: that takes values apart before it knows the type, and so loses how they were written.
pub(crate) fn tagged<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(String, Box<RawValue>), D::Error> {
    #[derive(serde::Deserialize)]
    struct Tag {
        #[serde(rename = "type")]
        kind: String,
    }

    let written = Box::<RawValue>::deserialize(deserializer)?;
    let Tag { kind } = serde_json::from_str(written.get()).map_err(serde::de::Error::custom)?;
    Ok((kind, written))
}

/// Structs that keep the fields that they do not know.
pub(crate) trait KeepsUnknownFields: Sized {
    /// What is expected in place of anything else.
    const EXPECTED: &'static str;

    /// Reads the fields that it knows.
    fn read_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Where the others go.
    fn unknown_fields(&mut self) -> &mut JsonObject;
}

/// Reads an object, and nothing else: derived structs would take an array too, field by field. The key `type` is left
/// out where the struct does not know it: it told which struct to read.
///
/// Not with `#[serde(flatten)]`: that builds a tree of each value before anybody looks at it, dozens of times as large.
pub(crate) fn with_unknown_fields<'de, T: KeepsUnknownFields, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct StructVisitor<T>(std::marker::PhantomData<T>);

    impl<'de, T: KeepsUnknownFields> Visitor<'de> for StructVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(T::EXPECTED)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            let mut unknown = JsonObject::new();
            let mut read = T::read_known(ObjectDeserializer { map, unknown: &mut unknown })?;
            *read.unknown_fields() = unknown;
            Ok(read)
        }
    }

    deserializer.deserialize_map(StructVisitor(std::marker::PhantomData))
}

/// An object that a struct is read from.
struct ObjectDeserializer<'a, A> {
    map: A,
    unknown: &'a mut JsonObject,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for ObjectDeserializer<'_, A> {
    type Error = A::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(KnownFields { map: self.map, unknown: self.unknown, known })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.map)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields of an object that a struct knows; the others are put aside on the way.
struct KnownFields<'a, A> {
    map: A,
    unknown: &'a mut JsonObject,
    known: &'static [&'static str],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for KnownFields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            if self.known.contains(&key.as_str()) {
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
            match key.as_str() {
                "type" => drop(self.map.next_value::<IgnoredAny>()?),
                _ => self.map.next_value_seed(UnknownField { key: &key, fields: self.unknown })?,
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Adds the value that is read to the fields.
struct UnknownField<'a> {
    key: &'a str,
    fields: &'a mut JsonObject,
}

impl<'de> DeserializeSeed<'de> for UnknownField<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let written = Json::read(deserializer)?;
        self.fields.push_with(self.key, |text| text.extend(Json::compact(&written)));
        Ok(())
    }
}
