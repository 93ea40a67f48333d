//! The options of each layer of a configuration, one by one.
//!
//! A parser stops at the first error, and people want to see all of them. So every option is parsed alone first: what
//! is wrong with it is collected, and the options that are right are put together.

use config::{ConfigError, Map, Value, ValueKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::layout::{self, Layout};
use super::suggestion::closest;
use super::{Environment, Problem, ValueSource};
use value_error::ValueError;

mod file;
mod value_error;

pub(super) use file::of_file;

/// What every environment variable of the configuration begins with.
const PREFIX: &str = "ANTIPHON_";

/// Variables that begin so and are arguments of the command line.
const ARGUMENTS: [&str; 2] = ["ANTIPHON_CONFIG", "ANTIPHON_DATA"];

/// One option with its value.
#[derive(Clone)]
pub(super) struct ConfigEntry {
    path: Vec<String>,
    value: Value,
    source: ValueSource,
}

/// The entries that can be options of a struct, and what is wrong with the others.
#[derive(Default)]
pub(super) struct CheckedEntries {
    pub(super) valid: Vec<ConfigEntry>,
    pub(super) problems: Vec<Problem>,
}

impl ConfigEntry {
    /// The option, as `section.key`.
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }

    /// The sections that the option is in, and its own name.
    pub(super) fn path(&self) -> &[String] {
        &self.path
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    pub(super) fn source(&self) -> &ValueSource {
        &self.source
    }

    /// The value, as text.
    pub(super) fn text(&self) -> String {
        self.value.to_string()
    }

    /// Whether it is a section without options.
    pub(super) fn is_section(&self) -> bool {
        matches!(self.value.kind, ValueKind::Table(_))
    }

    /// What keeps this entry from being an option of a `T`.
    fn problem<T: Serialize + DeserializeOwned>(&self, layout: &Layout<T>, every: &[String]) -> Option<Problem> {
        if let ValueSource::Variable(name) = &self.source
            && *name != name.to_uppercase()
        {
            let reason = format!("options are written in capitals here; did you mean {}?", name.to_uppercase());
            return Some(Problem::new(name, None, reason).at(self.source.clone()));
        }
        let reason = match ValueError::of(&self.refusal(layout)?, &self.text()) {
            ValueError::UnknownKey { name, known } => {
                return Some(self.unknown(&name, &layout.option_names(known), every));
            }
            ValueError::Value(reason) => reason,
        };
        let is_scalar = !matches!(self.value.kind, ValueKind::Array(_) | ValueKind::Table(_));
        let problem = |value, reason: &str| Problem::new(self.key(), value, reason).at(self.source.clone());
        Some(match (&self.source, self.path.as_slice()) {
            (ValueSource::Variable(_), _) if self.text().is_empty() => {
                problem(None, "the variable is empty: unset it, or give it a value")
            }
            (_, [_]) if !is_scalar => problem(None, "this is a section, in one pair of brackets"),
            (_, [first, _]) if first == "providers" && !is_scalar => {
                problem(None, "this is a section, in one pair of brackets")
            }
            _ => problem(is_scalar.then(|| self.text()), &reason),
        })
    }

    /// What a deserializer says against this entry. Values in files have types, and are held to them; a variable is a
    /// text.
    fn refusal<T: Serialize + DeserializeOwned>(&self, layout: &Layout<T>) -> Option<String> {
        let tree = tree(std::slice::from_ref(self), layout);
        match self.source {
            ValueSource::File { .. } => serde_json::from_value::<T>(json(tree)).err().map(|error| error.to_string()),
            ValueSource::Default | ValueSource::Variable(_) => {
                tree.try_deserialize::<T>().err().map(|error| words_of(&error))
            }
        }
    }

    /// The value of an unknown option may be a secret in the wrong place, so the problem does not show it.
    fn unknown(&self, name: &str, known: &[String], every: &[String]) -> Problem {
        let near = closest(name, known.iter().map(String::as_str)).map(|near| {
            let renamed = |part: &String| if part == name { near.to_owned() } else { part.clone() };
            self.path.iter().map(renamed).collect::<Vec<_>>().join(".")
        });
        let elsewhere = || closest(&self.key(), every.iter().map(String::as_str)).map(str::to_owned);
        let same_name = || {
            let ending = format!(".{}", self.path.last()?);
            every.iter().find(|key| key.ends_with(&ending)).cloned()
        };
        let reason = match near.or_else(elsewhere).or_else(same_name) {
            Some(key) => format!("there is no such option; did you mean {}?", self.spelled(&key)),
            None => format!("there is no such option; there are {}", known.join(", ")),
        };
        let key = match &self.source {
            ValueSource::Variable(name) => name.clone(),
            ValueSource::File { .. } | ValueSource::Default => self.key(),
        };
        Problem::new(key, None, reason).at(self.source.clone())
    }

    /// An option as it is spelled where this one was written.
    fn spelled(&self, key: &str) -> String {
        match self.source {
            ValueSource::Variable(_) => format!("{PREFIX}{}", key.to_uppercase().replace('.', "__")),
            ValueSource::File { .. } | ValueSource::Default => key.to_owned(),
        }
    }
}

impl CheckedEntries {
    /// Adds the entries of one more layer, each checked alone. `every` are the options that an unknown one is compared
    /// with beside those of its own section.
    pub(super) fn add<T: Serialize + DeserializeOwned>(
        &mut self,
        entries: Vec<ConfigEntry>,
        layout: &Layout<T>,
        every: &[String],
    ) {
        for entry in entries {
            match entry.problem(layout, every) {
                Some(problem) => self.problems.push(problem),
                None => self.valid.push(entry),
            }
        }
    }
}

/// The entries of the environment: all variables that begin with `ANTIPHON_`, but for those that hold secrets by the
/// word of the configuration itself and those that are arguments.
pub(super) fn of_environment(environment: &Environment, secrets: &[String]) -> Vec<ConfigEntry> {
    let entry = |(name, value): (&str, &str)| {
        let path = name.strip_prefix(PREFIX)?.to_lowercase().split("__").map(str::to_owned).collect();
        let is_other = ARGUMENTS.contains(&name) || secrets.iter().any(|other| other == name);
        let source = ValueSource::Variable(name.to_owned());
        (!is_other).then(|| ConfigEntry { path, value: Value::new(None, value), source })
    };
    environment.iter().filter_map(entry).collect()
}

/// Problems for the variables whose values are no text, so that nothing else can be said of them.
pub(super) fn unreadable(environment: &Environment) -> impl Iterator<Item = Problem> {
    let ours = environment.unreadable().filter(|name| name.starts_with(PREFIX) && !ARGUMENTS.contains(name));
    ours.map(|name| Problem::new(name, None, "the variable's value is not Unicode"))
}

/// The entries of a table, all from one source.
pub(super) fn of_table(table: Map<String, Value>, source: &ValueSource) -> Vec<ConfigEntry> {
    let mut entries = Vec::new();
    flatten(&mut Vec::new(), Value::new(None, table), &mut entries);
    entries.into_iter().map(|(path, value)| ConfigEntry { path, value, source: source.clone() }).collect()
}

/// The options of a struct with the values that they have in it, in the order of their names.
///
/// # Errors
/// If the struct can't be written.
pub(super) fn of_struct<T: Serialize>(options: &T, source: &ValueSource) -> Result<Vec<ConfigEntry>, Problem> {
    let written = serde_json::to_value(options);
    let written = written.map_err(|error| Problem::new("defaults", None, error.to_string()))?;
    let ValueKind::Table(table) = value(written).kind else { return Ok(Vec::new()) };
    let mut entries = of_table(table, source);
    for entry in &mut entries {
        entry.path = layout::option_path(&entry.path);
    }
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(entries)
}

/// All entries put together; later ones replace earlier ones.
pub(super) fn tree<T: Serialize>(entries: &[ConfigEntry], layout: &Layout<T>) -> Value {
    let mut root = Map::new();
    for entry in entries {
        // A group is no option, so that its name becomes one that no struct has.
        let written =
            entry.path.iter().map(|name| if layout::is_group(name) { format!("'{name}'") } else { name.clone() });
        insert(&mut root, &layout.field_path(&written.collect::<Vec<_>>()), entry.value.clone());
    }
    Value::new(None, root)
}

fn insert(table: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            let is_table = |value: &Value| matches!(value.kind, ValueKind::Table(_));
            // The only table among the entries is the empty one, and it takes nothing away.
            if !(is_table(&value) && table.get(key).is_some_and(is_table)) {
                table.insert(key.clone(), value);
            }
        }
        [key, rest @ ..] => {
            let child = table.entry(key.clone()).or_insert_with(|| Value::new(None, Map::<String, Value>::new()));
            if !matches!(child.kind, ValueKind::Table(_)) {
                *child = Value::new(None, Map::<String, Value>::new());
            }
            if let ValueKind::Table(inner) = &mut child.kind {
                insert(inner, rest, value);
            }
        }
    }
}

fn flatten(path: &mut Vec<String>, value: Value, entries: &mut Vec<(Vec<String>, Value)>) {
    if let ValueKind::Table(table) = &value.kind
        && (!table.is_empty() || path.is_empty())
    {
        let mut fields: Vec<_> = table.iter().collect();
        fields.sort_by_key(|(key, _)| *key);
        for (key, value) in fields {
            path.push(key.clone());
            flatten(path, value.clone(), entries);
            path.pop();
        }
    } else if value.kind != ValueKind::Nil {
        entries.push((path.clone(), value));
    }
}

/// A value with the types that it was written with.
fn json(value: Value) -> serde_json::Value {
    match value.kind {
        ValueKind::Nil => serde_json::Value::Null,
        ValueKind::Boolean(truth) => truth.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        ValueKind::Float(number) => number.into(),
        ValueKind::I128(number) => number.to_string().into(),
        ValueKind::U128(number) => number.to_string().into(),
        ValueKind::String(text) => text.into(),
        ValueKind::Array(array) => array.into_iter().map(json).collect(),
        ValueKind::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
    }
}

/// The opposite of [`json`].
fn value(written: serde_json::Value) -> Value {
    let kind = match written {
        serde_json::Value::Null => ValueKind::Nil,
        serde_json::Value::Bool(truth) => ValueKind::Boolean(truth),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => ValueKind::I64(number),
            (None, Some(number)) => ValueKind::Float(number),
            (None, None) => ValueKind::String(number.to_string()),
        },
        serde_json::Value::String(text) => ValueKind::String(text),
        serde_json::Value::Array(array) => ValueKind::Array(array.into_iter().map(value).collect()),
        serde_json::Value::Object(fields) => {
            ValueKind::Table(fields.into_iter().map(|(key, field)| (key, value(field))).collect())
        }
    };
    Value::new(None, kind)
}

/// What a lenient deserializer says, in serde's words and without a quote of the value.
fn words_of(error: &ConfigError) -> String {
    if let ConfigError::Type { expected, .. } = error {
        format!("invalid type: another one, expected {expected}")
    } else if let ConfigError::At { error, .. } = error {
        words_of(error)
    } else {
        error.to_string()
    }
}

#[cfg(test)]
pub(super) fn keys(entries: &[ConfigEntry]) -> Vec<(String, String)> {
    entries.iter().map(|entry| (entry.key(), entry.text())).collect()
}
