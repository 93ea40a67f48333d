//! The input of a request: a text, or items in every form in which clients write them.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize, Serializer};

use crate::json_object::{KeepsUnknownFields, with_unknown_fields};
use crate::{Json, JsonObject};

/// What the model is to answer.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Input {
    /// A text by the user.
    Text(String),
    /// Items of a conversation, oldest first.
    Items(Vec<InputItem>),
}

/// One input item, of whichever type. Only the keys of its own type matter.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, remote = "Self")]
pub struct InputItem {
    /// The type; a message if missing.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The client's id of the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether the item is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The role of a message's author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Which part of an answer a message of the model's was: `commentary` or `final_answer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The content of a message or reasoning item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentParam>,
    /// The id of the function call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The function's arguments, JSON as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<ContentParam>,
    /// The output of the function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<ContentParam>,
    /// Summaries of the reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<ContentParam>,
    /// Reasoning in a form that only its provider can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted_content: Option<String>,
    /// Every other key: fields of items that this server does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: JsonObject,
}

/// A text or parts.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ContentParam {
    /// A text.
    Text(String),
    /// Parts, in order.
    Parts(Vec<InputPart>),
    /// An object: no item type that this server knows has one here.
    Object,
}

/// A part of an item's content.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InputPart {
    /// The type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The text, of text parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The words, of refusals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Notes on the text, of text parts that a model wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Json>,
    /// That the prompt up to its end is to be cached, of text parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_cache_breakpoint: Option<Json>,
}

macro_rules! hidden {
    ($($name:ident),*) => {$(
        // What clients send is content, and content is in no log.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

hidden! { Input, InputItem, ContentParam, InputPart }

// Not `#[serde(untagged)]`: that would forget where in the input a wrong type stands.
impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InputVisitor;

        impl<'de> Visitor<'de> for InputVisitor {
            type Value = Input;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of items")
            }

            fn visit_str<E>(self, text: &str) -> Result<Input, E> {
                Ok(Input::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Input, E> {
                Ok(Input::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Input::Items(items))
            }
        }

        deserializer.deserialize_any(InputVisitor)
    }
}

impl<'de> Deserialize<'de> for ContentParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;

        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = ContentParam;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of parts")
            }

            fn visit_str<E>(self, text: &str) -> Result<ContentParam, E> {
                Ok(ContentParam::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<ContentParam, E> {
                Ok(ContentParam::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ContentParam, A::Error> {
                let mut parts = Vec::new();
                while let Some(Part(part)) = seq.next_element()? {
                    parts.push(part);
                }
                Ok(ContentParam::Parts(parts))
            }

            // Item types of other servers have objects here; they are refused by their type, not by this.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ContentParam, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(ContentParam::Object)
            }
        }

        deserializer.deserialize_any(ContentVisitor)
    }
}

impl KeepsUnknownFields for InputItem {
    const EXPECTED: &'static str = "an item object";

    fn read_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    fn unknown_fields(&mut self) -> &mut JsonObject {
        &mut self.extra
    }
}

impl<'de> Deserialize<'de> for InputItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        with_unknown_fields(deserializer)
    }
}

impl Serialize for InputItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// A part: an object, and nothing else. Derived structs would take an array too, field by field.
struct Part(InputPart);

struct ObjectVisitor<T>(std::marker::PhantomData<T>, &'static str);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(std::marker::PhantomData, "a content part object")).map(Self)
    }
}
