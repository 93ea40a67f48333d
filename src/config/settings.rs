//! The options in force: each with its value and where that was written.

use config::{Value, ValueKind};

use super::entries::ConfigEntry;
use super::{Environment, ValueSource};

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
    pub source: ValueSource,
}

/// Lists all options. `values` are the options in force, `written` those of the layers that they come from: secrets and
/// models are in these alone.
pub(super) fn list(values: &[ConfigEntry], written: &[ConfigEntry], environment: &Environment) -> Vec<Setting> {
    let last_written = |key: &str| written.iter().rev().find(|entry| entry.key() == key);
    let all = values.iter().chain(written).filter(|entry| !entry.is_section());
    let mut keys: Vec<String> = all.map(ConfigEntry::key).collect();
    keys.sort();
    keys.dedup();
    let setting = |key: &String| {
        let source = last_written(key).map_or(ValueSource::Default, |entry| entry.source().clone());
        let entry = values.iter().find(|entry| entry.key() == *key).or_else(|| last_written(key))?;
        let (name, section) = entry.path().split_last()?;
        let is_hidden = is_secret(key) || is_variable_of_secret(key) && environment.get(&entry.text()).is_none();
        let value = if is_hidden { "\"[set]\"".to_owned() } else { toml(entry.value()) };
        Some(Setting { section: section.join("."), key: name.clone(), value, source })
    };
    keys.iter().filter_map(setting).collect()
}

/// Whether the value may hold a secret: a database's URL may hold a password, a command may hold anything.
fn is_secret(key: &str) -> bool {
    ["store.url", "vault.key_command"].contains(&key)
}

/// Whether the value is the name of a variable that holds a secret. Where there is no such variable, somebody may have
/// put the secret itself there.
fn is_variable_of_secret(key: &str) -> bool {
    key == "vault.key_env" || key.ends_with(".api_key_env")
}

/// A value as TOML has it on one line. Texts have the same form there as in JSON.
fn toml(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => quoted(text),
        ValueKind::Array(values) => format!("[{}]", values.iter().map(toml).collect::<Vec<_>>().join(", ")),
        ValueKind::Table(table) => {
            let mut fields: Vec<_> = table.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            format!("{{ {} }}", fields.join(", "))
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
