//! The layers of a configuration, cut into single keys.
//!
//! A parser stops at the first error; people want to see all of them. So every key is parsed alone first:
//! those that fail are told, the rest is put together.

use config::{ConfigError, File, FileFormat, Map, Source as _, Value, ValueKind};

use super::Problem;
use super::load::{Environment, Sections};

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

    /// The problem with this key, if it has one.
    pub(super) fn problem(&self) -> Option<Problem> {
        let error = tree(std::slice::from_ref(self)).try_deserialize::<Sections>().err()?;
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

/// The keys of defaults.
pub(super) fn of_defaults(table: Map<String, Value>) -> Vec<Leaf> {
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
