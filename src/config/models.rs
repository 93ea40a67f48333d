//! The models of a provider: a name, or a table with more.

use std::fmt;
use std::time::Duration;

use config::{Map, Value, ValueKind};
use serde::{Deserialize, Deserializer, de};

use super::{Origin, Problem, layers};
use crate::domain::options::{duration, word};
use crate::domain::{Encoding, Timeouts};

const MOST_OUTPUT_TOKENS: u32 = 100_000;

/// A model that clients may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name that clients use. `*` stands for every name that no provider has.
    pub id: String,
    /// The name at the provider; the same unless it is given.
    pub upstream_id: String,
    /// The most tokens of prompt and output together, where it is known.
    pub context_window: Option<u32>,
    /// The vocabulary that its tokens are counted with.
    pub encoding: Encoding,
    /// The most output tokens of a response that does not say.
    pub max_output_tokens: Option<u32>,
    /// How long the provider may take.
    pub timeouts: Timeouts,
    /// The models that are asked in its place, in this order, where it fails before its first word; by the names
    /// that clients use. What they name as theirs is not followed.
    pub fallback: Vec<String>,
}

/// The model as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    id: Option<String>,
    upstream_id: Option<String>,
    context_window: Option<u32>,
    #[serde(deserialize_with = "word::deserialize")]
    encoding: EncodingName,
    max_output_tokens: Option<u32>,
    #[serde(with = "duration::optional")]
    connect_timeout: Option<Duration>,
    #[serde(with = "duration::optional")]
    first_byte_timeout: Option<Duration>,
    #[serde(with = "duration::optional")]
    idle_timeout: Option<Duration>,
    #[serde(with = "duration::optional")]
    total_timeout: Option<Duration>,
    fallback: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EncodingName {
    #[default]
    O200kBase,
    Cl100kBase,
}

impl Model {
    /// A model of which only the name is known, and how long its provider may take.
    #[must_use]
    pub fn named(id: impl Into<String>, timeouts: Timeouts) -> Self {
        let id = id.into();
        Self {
            upstream_id: id.clone(),
            id,
            context_window: None,
            encoding: Encoding::O200kBase,
            max_output_tokens: None,
            timeouts,
            fallback: Vec::new(),
        }
    }

    /// Whether it stands for every name that no provider has.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.id == "*"
    }

    fn of(table: Table, timeouts: Timeouts) -> Self {
        let id = table.id.unwrap_or_default();
        Self {
            upstream_id: table.upstream_id.unwrap_or_else(|| id.clone()),
            id,
            context_window: table.context_window,
            encoding: match table.encoding {
                EncodingName::O200kBase => Encoding::O200kBase,
                EncodingName::Cl100kBase => Encoding::Cl100kBase,
            },
            max_output_tokens: table.max_output_tokens,
            timeouts: Timeouts {
                connect: table.connect_timeout.unwrap_or(timeouts.connect),
                first_byte: table.first_byte_timeout.unwrap_or(timeouts.first_byte),
                idle: table.idle_timeout.unwrap_or(timeouts.idle),
                total: table.total_timeout.unwrap_or(timeouts.total),
            },
            fallback: table.fallback,
        }
    }

    fn check(&self, key: &str, problems: &mut Vec<Problem>) {
        let mut refuse = |part: &str, value: Option<String>, reason: String| {
            problems.push(Problem::new(format!("{key}{part}"), value, reason));
        };
        if self.id.is_empty() {
            refuse(".id", None, "expected the model's name".to_owned());
        }
        if self.upstream_id.is_empty() && !self.id.is_empty() {
            refuse(".upstream_id", None, "expected the model's name at the provider".to_owned());
        }
        if self.is_any() && self.upstream_id != self.id {
            let reason = "\"*\" passes every name on as it is".to_owned();
            refuse(".upstream_id", Some(self.upstream_id.clone()), reason);
        }
        if let Some(0) = self.context_window {
            refuse(".context_window", Some("0".to_owned()), "expected a number above 0".to_owned());
        }
        if let Some(tokens) = self.max_output_tokens.filter(|tokens| !(1..=MOST_OUTPUT_TOKENS).contains(tokens)) {
            let reason = format!("expected a number between 1 and {MOST_OUTPUT_TOKENS}");
            refuse(".max_output_tokens", Some(tokens.to_string()), reason);
        }
    }
}

/// The model that is written there. What is wrong with it goes to the problems, each key by itself.
pub(super) fn read(key: &str, value: Value, (timeouts, problems): (Timeouts, &mut Vec<Problem>)) -> Model {
    let model = if let ValueKind::Table(table) = value.kind {
        Model::of(read_table(key, table, problems), timeouts)
    } else if let ValueKind::String(id) = value.kind {
        Model::named(id.trim(), timeouts)
    } else {
        let reason = "expected a model's name, or a table with its id";
        problems.push(Problem::new(key, Some(value.to_string()), reason));
        return Model::named("", timeouts);
    };
    model.check(key, problems);
    model
}

fn read_table(key: &str, table: Map<String, Value>, problems: &mut Vec<Problem>) -> Table {
    let (mut good, mut told) = (Vec::new(), Vec::new());
    // Only a file can hold tables; the line is that of the whole list.
    let origin = Origin::File { name: String::new(), line: 0 };
    layers::keep_good::<Table>(layers::of_table(table, &origin), &[], (&mut good, &mut told));
    problems.extend(told.into_iter().map(|problem| Problem {
        key: format!("{key}.{}", problem.key),
        origin: None,
        ..problem
    }));
    layers::tree(&good).try_deserialize().unwrap_or_else(|error| {
        problems.push(Problem::new(key, None, error.to_string()));
        Table::default()
    })
}

/// Models in a list, or, as an environment variable has them, in a text with commas; not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Models(pub(super) Vec<Value>);

struct ModelsVisitor;

impl<'de> de::Visitor<'de> for ModelsVisitor {
    type Value = Models;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of models")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Models, E> {
        Ok(Models(text.split(',').map(|id| Value::new(None, id)).collect()))
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
