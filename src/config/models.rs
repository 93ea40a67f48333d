//! The models of a provider: a name, or a table with more.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::Encoding;

/// A model that clients may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name that clients use.
    pub id: String,
    /// The name at the provider; the same unless it is given.
    pub upstream_id: String,
    /// The most tokens of prompt and output together, where it is known.
    pub context_window: Option<u32>,
    /// The vocabulary that its tokens are counted with.
    pub encoding: Encoding,
    /// The most output tokens of a response that does not say.
    pub max_output_tokens: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    id: String,
    upstream_id: Option<String>,
    context_window: Option<u32>,
    #[serde(default)]
    encoding: EncodingName,
    max_output_tokens: Option<u32>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EncodingName {
    #[default]
    O200kBase,
    Cl100kBase,
}

impl From<Table> for Model {
    fn from(table: Table) -> Self {
        Self {
            upstream_id: table.upstream_id.unwrap_or_else(|| table.id.clone()),
            id: table.id,
            context_window: table.context_window,
            encoding: match table.encoding {
                EncodingName::O200kBase => Encoding::O200kBase,
                EncodingName::Cl100kBase => Encoding::Cl100kBase,
            },
            max_output_tokens: table.max_output_tokens,
        }
    }
}

impl Model {
    /// A model of which only the name is known.
    #[must_use]
    pub fn named(id: &str) -> Self {
        let id = id.trim().to_owned();
        Self {
            upstream_id: id.clone(),
            id,
            context_window: None,
            encoding: Encoding::O200kBase,
            max_output_tokens: None,
        }
    }
}

struct ModelVisitor;

impl<'de> de::Visitor<'de> for ModelVisitor {
    type Value = Model;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model's name, or a table with its id")
    }

    fn visit_str<E: de::Error>(self, id: &str) -> Result<Model, E> {
        Ok(Model::named(id))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Model, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(map)).map(Model::from)
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModelVisitor)
    }
}

/// Models in a list, or, as an environment variable has them, in a text with commas.
#[derive(Debug, Default)]
pub(super) struct Models(pub(super) Vec<Model>);

struct ModelsVisitor;

impl<'de> de::Visitor<'de> for ModelsVisitor {
    type Value = Models;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of models")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Models, E> {
        text.split(',').map(|id| Model::deserialize(StrDeserializer::new(id))).collect::<Result<_, _>>().map(Models)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Models, A::Error> {
        let mut models = Vec::new();
        while let Some(model) = list.next_element()? {
            models.push(model);
        }
        Ok(Models(models))
    }
}

impl<'de> Deserialize<'de> for Models {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModelsVisitor)
    }
}

// The defaults have no models; nothing else is ever written.
impl Serialize for Models {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|model| &model.id))
    }
}
