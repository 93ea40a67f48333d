//! The models of a provider: a name, or a table with more.

use std::fmt;

use config::{Value, ValueKind};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::entries::{self, CheckedEntries};
use super::layout::Layout;
use super::{Problem, ValueSource};
use crate::domain::options::word;
use crate::domain::{Encoding, Timeouts};

const MOST_OUTPUT_TOKENS: u32 = 1_000_000_000;

/// A model that clients may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSection {
    /// The name that clients use. `*` stands for every name that no provider has.
    pub id: String,
    /// The name at the provider; the same unless it is given.
    pub upstream_id: Option<String>,
    /// The most tokens of prompt and output together, where it is known.
    pub context_window: Option<u32>,
    /// The vocabulary that its tokens are counted with.
    #[serde(deserialize_with = "word::deserialize")]
    pub encoding: Encoding,
    /// The most output tokens of a response that does not say.
    pub max_output_tokens: Option<u32>,
    /// The most output tokens that the model is ever asked for.
    pub max_output_tokens_cap: Option<u32>,
    /// How long the provider may take; as long as for its other models unless it is given.
    #[serde(rename = "..timeouts")]
    pub timeouts: Timeouts,
    /// The models that are asked in its place, in this order, where it fails before its first word; by the names
    /// that clients use. Their own fallbacks are not followed.
    pub fallback: Vec<String>,
}

impl ModelSection {
    /// A model of which only the name is known, and how long its provider may take.
    #[must_use]
    pub fn named(id: impl Into<String>, timeouts: Timeouts) -> Self {
        Self { id: id.into(), timeouts, ..Self::default() }
    }

    /// The name at the provider.
    #[must_use]
    pub fn upstream_id(&self) -> &str {
        self.upstream_id.as_deref().unwrap_or(&self.id)
    }

    /// Whether it stands for every name that no provider has.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.id == "*"
    }

    fn check(&self, key: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |option: &str, value: Option<String>, reason: String| {
            problems.push(Problem::new(format!("{key}{option}"), value, reason));
        };
        if self.id.is_empty() {
            refuse(".id", None, "expected the model's name".to_owned());
        }
        if self.upstream_id().is_empty() && !self.id.is_empty() {
            refuse(".upstream_id", None, "expected the model's name at the provider".to_owned());
        }
        if self.is_any() && self.upstream_id() != self.id {
            let reason = "\"*\" passes every name on as it is".to_owned();
            refuse(".upstream_id", self.upstream_id.clone(), reason);
        }
        if let Some(0) = self.context_window {
            refuse(".context_window", Some("0".to_owned()), "expected a number above 0".to_owned());
        }
        let limits =
            [(".max_output_tokens", self.max_output_tokens), (".max_output_tokens_cap", self.max_output_tokens_cap)];
        for (option, tokens) in limits {
            if let Some(tokens) = tokens.filter(|tokens| !(1..=MOST_OUTPUT_TOKENS).contains(tokens)) {
                let reason = format!("expected a number between 1 and {MOST_OUTPUT_TOKENS}");
                refuse(option, Some(tokens.to_string()), reason);
            }
        }
        if let (Some(default), Some(cap)) = (self.max_output_tokens, self.max_output_tokens_cap)
            && default > cap
        {
            let reason = format!("expected no more than max_output_tokens_cap, which is {cap}");
            refuse(".max_output_tokens", Some(default.to_string()), reason);
        }
        problems
    }
}

/// Reads the model that is written at `key`, of a provider with these timeouts. What is wrong with it goes to the
/// problems, each option by itself.
pub(super) fn read(key: &str, value: Value, timeouts: Timeouts, problems: &mut Vec<Problem>) -> ModelSection {
    let default = ModelSection { timeouts, ..ModelSection::default() };
    let model = if let ValueKind::Table(_) = value.kind {
        read_table(key, value, default, problems)
    } else if let ValueKind::String(id) = value.kind {
        ModelSection { id: id.trim().to_owned(), ..default }
    } else {
        let reason = "expected a model's name, or a table with its id";
        problems.push(Problem::new(key, Some(value.to_string()), reason));
        return default;
    };
    problems.extend(model.check(key));
    model
}

fn read_table(key: &str, value: Value, default: ModelSection, problems: &mut Vec<Problem>) -> ModelSection {
    let ValueKind::Table(table) = value.kind else { return default };
    let layout = Layout::of(&default);
    // Only a file can hold tables; the line is that of the whole list.
    let source = ValueSource::File { name: String::new(), line: 0 };
    let mut checked = CheckedEntries::default();
    checked.add(entries::of_table(table, &source), &layout, &[]);
    problems.extend(checked.problems.into_iter().map(|problem| Problem {
        key: format!("{key}.{}", problem.key),
        source: None,
        ..problem
    }));
    let read = entries::of_struct(&default, &ValueSource::Default).and_then(|mut all| {
        all.extend(checked.valid);
        let model = entries::tree(&all, &layout).try_deserialize();
        model.map_err(|error| Problem::new(key, None, error.to_string()))
    });
    read.unwrap_or_else(|problem| {
        problems.push(problem);
        default
    })
}

/// Models in a list, or, as an environment variable has them, in a text with commas; not checked yet.
#[derive(Debug, Clone, Default)]
pub(super) struct WrittenModels(pub(super) Vec<Value>);

struct WrittenModelsVisitor;

impl<'de> de::Visitor<'de> for WrittenModelsVisitor {
    type Value = WrittenModels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of models")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenModels, E> {
        Ok(WrittenModels(text.split(',').map(|id| Value::new(None, id)).collect()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<WrittenModels, A::Error> {
        let mut models = Vec::new();
        while let Some(model) = list.next_element()? {
            models.push(model);
        }
        Ok(WrittenModels(models))
    }
}

impl<'de> Deserialize<'de> for WrittenModels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenModelsVisitor)
    }
}
