//! How items and their parts are read and written, with what this server does not know as it was written.
//!
//! All of it needs the deserializer of `serde_json`, with nothing in between that buffers values.

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use super::{ContentPart, FunctionCall, Item, Message, OtherItem, OutputText, Reasoning, ReasoningText};
use crate::JsonObject;
use crate::json_object::{KeepsUnknownFields, tagged, with_unknown_fields};

/// The types of parts, for errors.
const PARTS: [&str; 4] = ["input_text", "output_text", "refusal", "reasoning_text"];

macro_rules! keeps_unknown_fields {
    ($($name:ident in $fields:ident),*) => {$(
        impl KeepsUnknownFields for $name {
            const EXPECTED: &'static str = "an item object";

            fn read_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }

            fn unknown_fields(&mut self) -> &mut JsonObject {
                &mut self.$fields
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                with_unknown_fields(deserializer)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }
    )*};
}

keeps_unknown_fields! { Message in extra, Reasoning in extra, FunctionCall in extra, OtherItem in fields }

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, written) = tagged(deserializer)?;
        let text = written.get();
        let known = match kind.as_str() {
            "message" => serde_json::from_str(text).map(Self::Message),
            "reasoning" => serde_json::from_str(text).map(Self::Reasoning),
            "function_call" => serde_json::from_str(text).map(Self::FunctionCall),
            "function_call_output" => serde_json::from_str(text).map(Self::FunctionCallOutput),
            _ => serde_json::from_str(text).map(Self::Other),
        };
        // A provider's item may have the type of another one, and a form that is not known here.
        known.or_else(|_| serde_json::from_str(text).map(Self::Other)).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for ContentPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct InputText {
            text: String,
            prompt_cache_breakpoint: Option<JsonObject>,
        }

        #[derive(Deserialize)]
        struct RefusalPart {
            refusal: String,
        }

        let (kind, written) = tagged(deserializer)?;
        let text = written.get();
        let part = match kind.as_str() {
            "input_text" => serde_json::from_str(text)
                .map(|InputText { text, prompt_cache_breakpoint }| Self::InputText { text, prompt_cache_breakpoint }),
            "output_text" => serde_json::from_str::<OutputText>(text).map(Self::OutputText),
            "refusal" => serde_json::from_str(text).map(|RefusalPart { refusal }| Self::Refusal { refusal }),
            "reasoning_text" => serde_json::from_str(text).map(|ReasoningText { text }| Self::ReasoningText { text }),
            unknown => return Err(D::Error::unknown_variant(unknown, &PARTS)),
        };
        part.map_err(D::Error::custom)
    }
}
