//! The layers of a configuration, cut into single keys.
//!
//! A parser stops at the first error; people want to see all of them. So every key is parsed alone first:
//! those that fail are told, the rest is put together.

use config::{ConfigError, Map, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::load::Environment;
use super::nearest::nearest;
use super::{Origin, Problem};
use reason::Reason;

mod file;
mod reason;

pub(super) use file::of_file;

/// What every environment variable of the configuration begins with.
const PREFIX: &str = "ANTIPHON_";

/// Variables that begin so and are arguments of the command line.
const ARGUMENTS: [&str; 2] = ["ANTIPHON_CONFIG", "ANTIPHON_DATA"];

/// One key with its value.
#[derive(Clone)]
pub(super) struct Leaf {
    path: Vec<String>,
    value: Value,
    origin: Origin,
}

impl Leaf {
    /// The key, as `section.key`.
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }

    /// The sections that the key is in, and its own name.
    pub(super) fn path(&self) -> &[String] {
        &self.path
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The value, as text.
    pub(super) fn text(&self) -> String {
        self.value.to_string()
    }

    /// Whether it is a section without keys.
    pub(super) fn is_section(&self) -> bool {
        matches!(self.value.kind, ValueKind::Table(_))
    }

    /// The same key in a section.
    pub(super) fn below<const N: usize>(self, section: [&str; N]) -> Self {
        Self { path: section.into_iter().map(str::to_owned).chain(self.path).collect(), ..self }
    }

    /// The problem that this key is in a `T`, if it is one.
    fn problem<T: DeserializeOwned>(&self, every: &[String]) -> Option<Problem> {
        if let Origin::Variable(name) = &self.origin
            && *name != name.to_uppercase()
        {
            let reason = format!("options are written in capitals here; did you mean {}?", name.to_uppercase());
            return Some(Problem::new(name, None, reason).at(self.origin.clone()));
        }
        let reason = match Reason::of(&self.refusal::<T>()?, &self.text()) {
            Reason::UnknownKey { name, known } => return Some(self.unknown(&name, &known, every)),
            Reason::Value(reason) => reason,
        };
        let is_scalar = !matches!(self.value.kind, ValueKind::Array(_) | ValueKind::Table(_));
        let problem = |value, reason: &str| Problem::new(self.key(), value, reason).at(self.origin.clone());
        Some(match (&self.origin, self.path.as_slice()) {
            (Origin::Variable(_), _) if self.text().is_empty() => {
                problem(None, "the variable is empty: unset it, or give it a value")
            }
            (_, [_]) if !is_scalar => problem(None, "this is a section, in one pair of brackets"),
            (_, [first, _]) if first == "providers" && !is_scalar => {
                problem(None, "this is a section, in one pair of brackets")
            }
            _ => problem(is_scalar.then(|| self.text()), &reason),
        })
    }

    /// What a deserializer says against this key. Files have types, and are held to them; a variable is a text.
    fn refusal<T: DeserializeOwned>(&self) -> Option<String> {
        let tree = tree(std::slice::from_ref(self));
        match self.origin {
            Origin::File { .. } => serde_json::from_value::<T>(json(tree)).err().map(|error| error.to_string()),
            Origin::Default | Origin::Variable(_) => tree.try_deserialize::<T>().err().map(|error| told(&error)),
        }
    }

    /// The value of an unknown key may be a secret in the wrong place, so nothing is said of it.
    fn unknown(&self, name: &str, known: &[String], every: &[String]) -> Problem {
        let near = nearest(name, known.iter().map(String::as_str)).map(|near| {
            let renamed = |part: &String| if part == name { near.to_owned() } else { part.clone() };
            self.path.iter().map(renamed).collect::<Vec<_>>().join(".")
        });
        let elsewhere = || nearest(&self.key(), every.iter().map(String::as_str)).map(str::to_owned);
        let same_name = || {
            let ending = format!(".{}", self.path.last()?);
            every.iter().find(|key| key.ends_with(&ending)).cloned()
        };
        let reason = match near.or_else(elsewhere).or_else(same_name) {
            Some(key) => format!("there is no such option; did you mean {}?", self.written(&key)),
            None => format!("there is no such option; there are {}", known.join(", ")),
        };
        let key = match &self.origin {
            Origin::Variable(name) => name.clone(),
            Origin::File { .. } | Origin::Default => self.key(),
        };
        Problem::new(key, None, reason).at(self.origin.clone())
    }

    /// A key as it is written where this one is.
    fn written(&self, key: &str) -> String {
        match self.origin {
            Origin::Variable(_) => format!("{PREFIX}{}", key.to_uppercase().replace('.', "__")),
            Origin::File { .. } | Origin::Default => key.to_owned(),
        }
    }
}

/// The keys of the environment: all variables that begin with `ANTIPHON_`, but for those that the
/// configuration itself names as places of secrets and those that are arguments.
pub(super) fn of_environment(environment: &Environment, named: &[String]) -> Vec<Leaf> {
    let leaf = |(name, value): (&str, &str)| {
        let path = name.strip_prefix(PREFIX)?.to_lowercase().split("__").map(str::to_owned).collect();
        let is_other = ARGUMENTS.contains(&name) || named.iter().any(|other| other == name);
        let origin = Origin::Variable(name.to_owned());
        (!is_other).then(|| Leaf { path, value: Value::new(None, value), origin })
    };
    environment.iter().filter_map(leaf).collect()
}

/// Variables whose values are no text, so that nothing can be said of what they were meant to set.
pub(super) fn unreadable(environment: &Environment) -> impl Iterator<Item = Problem> {
    let ours = environment.unreadable().filter(|name| name.starts_with(PREFIX) && !ARGUMENTS.contains(name));
    ours.map(|name| Problem::new(name, None, "the variable's value is not Unicode"))
}

/// Adds to `good` the keys that a `T` can have, and tells what is wrong with the others. `every` are the keys that
/// an unknown one is compared with beside those of its own section.
pub(super) fn keep_good<T: DeserializeOwned>(
    leaves: Vec<Leaf>,
    every: &[String],
    (good, problems): (&mut Vec<Leaf>, &mut Vec<Problem>),
) {
    for leaf in leaves {
        match leaf.problem::<T>(every) {
            Some(problem) => problems.push(problem),
            None => good.push(leaf),
        }
    }
}

/// The keys of a table, all of one origin.
pub(super) fn of_table(table: Map<String, Value>, origin: &Origin) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    flatten(&mut Vec::new(), (Value::new(None, table), origin), &mut leaves);
    leaves
}

/// All keys put together; later ones replace earlier ones.
pub(super) fn tree(leaves: &[Leaf]) -> Value {
    let mut root = Map::new();
    for leaf in leaves {
        insert(&mut root, &leaf.path, leaf.value.clone());
    }
    Value::new(None, root)
}

fn insert(table: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            let is_table = |value: &Value| matches!(value.kind, ValueKind::Table(_));
            // The only table among the leaves is the empty one, and it takes nothing away.
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

fn flatten(path: &mut Vec<String>, (value, origin): (Value, &Origin), leaves: &mut Vec<Leaf>) {
    if let ValueKind::Table(table) = &value.kind
        && (!table.is_empty() || path.is_empty())
    {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        for (key, value) in entries {
            path.push(key.clone());
            flatten(path, (value.clone(), origin), leaves);
            path.pop();
        }
    } else if value.kind != ValueKind::Nil {
        leaves.push(Leaf { path: path.clone(), value, origin: origin.clone() });
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

/// What a lenient deserializer says, in serde's words and without a quote of the value.
fn told(error: &ConfigError) -> String {
    if let ConfigError::Type { expected, .. } = error {
        format!("invalid type: another one, expected {expected}")
    } else if let ConfigError::At { error, .. } = error {
        told(error)
    } else {
        error.to_string()
    }
}

#[cfg(test)]
pub(super) fn keys(leaves: &[Leaf]) -> Vec<(String, String)> {
    leaves.iter().map(|leaf| (leaf.key(), leaf.text())).collect()
}
