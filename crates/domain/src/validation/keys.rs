//! Reads objects of a request key by key.

use indexmap::IndexMap;

use super::Violation;
use antiphon_protocol::Json;

/// How deeply an object may be nested that providers and this server echo: `serde_json`, which they are read with, takes
/// 127 levels, and some providers echo it in more levels of their own.
const MOST_LEVELS: usize = 100;

/// An object of the request and where it stands.
pub(super) struct Keys {
    path: String,
    keys: IndexMap<String, Json>,
}

impl Keys {
    pub(super) fn new(keys: IndexMap<String, Json>, path: impl Into<String>) -> Self {
        Self { path: path.into(), keys }
    }

    /// The keys of a value that must be an object. Of a key that comes twice the last one counts.
    pub(super) fn of(value: &Json, path: impl Into<String>) -> Result<Self, Violation> {
        match serde_json::from_str(value.as_str()) {
            Ok(keys) => Ok(Self::new(keys, path)),
            Err(_) => Err(Violation::invalid(path, "expected an object")),
        }
    }

    /// The path of one of the keys.
    pub(super) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// What stands under a key; a null is the same as nothing.
    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        self.keys.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Violation> {
        self.get(key).map(|value| self.read(key, value, "expected a string")).transpose()
    }

    pub(super) fn required_text(&self, key: &str) -> Result<String, Violation> {
        self.text(key)?.ok_or_else(|| Violation::missing(self.at(key)))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Violation> {
        self.get(key).map(|value| self.read(key, value, "expected a boolean")).transpose()
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Json>, Violation> {
        match self.get(key) {
            Some(value) if !value.is_object() => Err(Violation::invalid(self.at(key), "expected an object")),
            Some(value) if value.levels() > MOST_LEVELS => {
                Err(Violation::invalid(self.at(key), "it is nested too deeply"))
            }
            value => Ok(value.cloned()),
        }
    }

    pub(super) fn array(&self, key: &str) -> Result<Option<Vec<Json>>, Violation> {
        self.get(key).map(|value| self.read(key, value, "expected an array")).transpose()
    }

    /// A name as OpenAI's models take them.
    pub(super) fn name(&self, key: &str) -> Result<String, Violation> {
        const MOST_CHARS: usize = 64;
        let name = self.required_text(key)?;
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > MOST_CHARS || !name.chars().all(is_allowed) {
            let why = format!("expected 1 to {MOST_CHARS} letters, digits, underscores or dashes");
            return Err(Violation::invalid(self.at(key), why));
        }
        Ok(name)
    }

    /// One of these words.
    pub(super) fn word(&self, key: &str, words: &[&'static str]) -> Result<Option<&'static str>, Violation> {
        let Some(given) = self.text(key)? else { return Ok(None) };
        let known = words.iter().find(|word| **word == given);
        let refusal = || Violation::invalid(self.at(key), format_args!("expected one of '{}'", words.join("', '")));
        known.map(|word| Some(*word)).ok_or_else(refusal)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, key: &str, value: &Json, expected: &str) -> Result<T, Violation> {
        serde_json::from_str(value.as_str()).map_err(|_| Violation::invalid(self.at(key), expected))
    }
}
