//! The configuration as it holds: every option with its value and where it was written.

use config::{Value, ValueKind};

use super::layers::Leaf;
use super::load::Sections;
use super::{Environment, Origin, Problem};

/// An option with its value, and where that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The section, as TOML has it in brackets.
    pub section: String,
    /// The option's name in its section.
    pub key: String,
    /// The value, as TOML writes it; `"[set]"` for what may be or hold a secret.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
}

/// All options of these sections. `leaves` are the layers that they were put together from.
pub(super) fn of(sections: &Sections, (leaves, environment): (&[Leaf], &Environment)) -> Result<Vec<Setting>, Problem> {
    let whole = sections.whole()?;
    let written = |key: &str| leaves.iter().rev().find(|leaf| leaf.key() == key);
    // Secrets and models have no form of their own and stay as they were written.
    let mut keys: Vec<String> = whole.iter().chain(leaves).filter(|leaf| !leaf.is_section()).map(Leaf::key).collect();
    keys.sort();
    keys.dedup();
    let setting = |key: &String| {
        let origin = written(key).map_or(Origin::Default, |leaf| leaf.origin().clone());
        let leaf = whole.iter().find(|leaf| leaf.key() == *key).or_else(|| written(key))?;
        let (name, section) = leaf.path().split_last()?;
        let is_hidden = is_secret(key) || is_place(key) && environment.get(&leaf.text()).is_none();
        let value = if is_hidden { "\"[set]\"".to_owned() } else { toml(leaf.value()) };
        Some(Setting { section: section.join("."), key: name.clone(), value, origin })
    };
    Ok(keys.iter().filter_map(setting).collect())
}

/// A database's URL may hold a password, a command may hold anything.
fn is_secret(key: &str) -> bool {
    ["store.url", "vault.key_command"].contains(&key)
}

/// Where the name of a variable belongs. What is no variable's name may be a secret that was put in its place.
fn is_place(key: &str) -> bool {
    key == "vault.key_env" || key.ends_with(".api_key_env")
}

/// A value as TOML has it on one line. Texts have the same form there as in JSON.
fn toml(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => quoted(text),
        ValueKind::Array(values) => format!("[{}]", values.iter().map(toml).collect::<Vec<_>>().join(", ")),
        ValueKind::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        ValueKind::Nil => quoted(""),
        ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_) => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
