//! Reads objects of a request key by key.

use serde_json::{Map, Value};

use super::Violation;

/// An object of the request and where it stands.
pub(super) struct Keys<'a> {
    path: String,
    keys: &'a Map<String, Value>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(keys: &'a Map<String, Value>, path: impl Into<String>) -> Self {
        Self { path: path.into(), keys }
    }

    /// The keys of a value that must be an object.
    pub(super) fn of(value: &'a Value, path: impl Into<String>) -> Result<Self, Violation> {
        match value {
            Value::Object(keys) => Ok(Self::new(keys, path)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(Violation::invalid(path, "expected an object"))
            }
        }
    }

    /// The path of one of the keys.
    pub(super) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// What stands under a key; a null is the same as nothing.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.keys.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Violation> {
        let text =
            |value: &'a Value| value.as_str().ok_or_else(|| Violation::invalid(self.at(key), "expected a string"));
        self.get(key).map(text).transpose()
    }

    pub(super) fn required_text(&self, key: &str) -> Result<&'a str, Violation> {
        self.text(key)?.ok_or_else(|| Violation::missing(self.at(key)))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Violation> {
        let flag =
            |value: &Value| value.as_bool().ok_or_else(|| Violation::invalid(self.at(key), "expected a boolean"));
        self.get(key).map(flag).transpose()
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Value>, Violation> {
        match self.get(key) {
            None => Ok(None),
            Some(value) if value.is_object() => Ok(Some(value.clone())),
            Some(_) => Err(Violation::invalid(self.at(key), "expected an object")),
        }
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
        Ok(name.to_owned())
    }

    /// One of these words.
    pub(super) fn word(&self, key: &str, words: &[&str]) -> Result<Option<&'a str>, Violation> {
        match self.text(key)? {
            Some(word) if !words.contains(&word) => {
                Err(Violation::invalid(self.at(key), format_args!("expected one of '{}'", words.join("', '"))))
            }
            word => Ok(word),
        }
    }
}
