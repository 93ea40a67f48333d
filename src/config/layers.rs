//! The layers of a configuration, cut into single keys.
//!
//! A parser stops at the first error; people want to see all of them. So every key is parsed alone first:
//! those that fail are told, the rest is put together.

use config::{ConfigError, File, FileFormat, Map, Source as _, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::Problem;
use super::load::Environment;

/// What every environment variable of the configuration begins with.
const PREFIX: &str = "ANTIPHON_";

/// One key with its value.
#[derive(Clone)]
pub(super) struct Leaf {
    path: Vec<String>,
    value: Value,
}

impl Leaf {
    /// The key, as `section.key`.
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }

    /// The value, as text.
    pub(super) fn text(&self) -> String {
        self.value.to_string()
    }

    /// The problem that this key is in a `T`, if it is one.
    fn problem<T: DeserializeOwned>(&self) -> Option<Problem> {
        let error = tree(std::slice::from_ref(self)).try_deserialize::<T>().err()?;
        let reason = reason(&error);
        // An unknown key may be a secret in the wrong place.
        let known = !reason.starts_with("unknown field");
        Some(Problem::new(self.key(), known.then(|| self.text()), reason))
    }
}

/// The keys of a file.
pub(super) fn of_file(name: &str, text: &str) -> Result<Vec<Leaf>, Problem> {
    let table = File::from_str(text, FileFormat::Toml).collect().map_err(|error| {
        // The parser quotes the line, which may hold a secret.
        let told = error.to_string();
        let lines: Vec<&str> = told.lines().filter(|line| !line.contains('|')).collect();
        Problem::new(name, None, lines.join(": "))
    })?;
    let mut leaves = Vec::new();
    flatten(&mut Vec::new(), Value::new(None, table), &mut leaves);
    Ok(leaves)
}

/// The keys of the environment: all variables that begin with `ANTIPHON_`, but for those that the
/// configuration itself names as places of secrets.
pub(super) fn of_environment(environment: &Environment, named: &[String]) -> Vec<Leaf> {
    let leaf = |(name, value): (&str, &str)| {
        let path = name.strip_prefix(PREFIX)?.to_lowercase().split("__").map(str::to_owned).collect();
        let is_named = named.iter().any(|other| other == name);
        (!is_named).then(|| Leaf { path, value: Value::new(None, value) })
    };
    environment.iter().filter_map(leaf).collect()
}

/// Adds to `good` the keys that a `T` can have, and tells what is wrong with the others.
pub(super) fn keep_good<T: DeserializeOwned>(leaves: Vec<Leaf>, good: &mut Vec<Leaf>, problems: &mut Vec<Problem>) {
    for leaf in leaves {
        match leaf.problem::<T>() {
            Some(problem) => problems.push(problem),
            None => good.push(leaf),
        }
    }
}

/// The keys of a table.
pub(super) fn of_table(table: Map<String, Value>) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    flatten(&mut Vec::new(), Value::new(None, table), &mut leaves);
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

fn flatten(path: &mut Vec<String>, value: Value, leaves: &mut Vec<Leaf>) {
    if let ValueKind::Table(table) = &value.kind
        && (!table.is_empty() || path.is_empty())
    {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        for (key, value) in entries {
            path.push(key.clone());
            flatten(path, value.clone(), leaves);
            path.pop();
        }
    } else if value.kind != ValueKind::Nil {
        leaves.push(Leaf { path: path.clone(), value });
    }
}

/// What is wrong, without a quote of the value.
fn reason(error: &ConfigError) -> String {
    if let ConfigError::Type { expected, .. } = error {
        format!("expected {expected}")
    } else if let ConfigError::At { error, .. } = error {
        reason(error)
    } else {
        error.to_string()
    }
}

#[cfg(test)]
pub(super) fn keys(leaves: &[Leaf]) -> Vec<(String, String)> {
    leaves.iter().map(|leaf| (leaf.key(), leaf.text())).collect()
}
