//! What is wrong with a configuration.

use std::fmt;

use super::Origin;

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConfig {
    /// The problems, in the order of their keys' sources.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `section.key`; an environment variable that is no key; or the file.
    pub key: String,
    /// The value; none where it may be a secret or there is none.
    pub value: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// Where it was written; none for what is missing.
    pub origin: Option<Origin>,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, value: Option<String>, reason: impl Into<String>) -> Self {
        let key = key.into();
        let value = value.filter(|value| !may_be_secret(&key) && !may_hold_password(value)).map(|value| shown(&value));
        Self { key, value, reason: reason.into(), origin: None }
    }

    pub(super) fn at(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }
}

/// URLs may hold passwords, commands may hold anything.
fn may_be_secret(key: &str) -> bool {
    let word_for_secrets = ["key", "url", "secret", "token", "password"].iter().any(|word| key.ends_with(word));
    key.starts_with("vault") || word_for_secrets && !key.ends_with("_per_key")
}

/// A URL that was put where none belongs.
fn may_hold_password(value: &str) -> bool {
    value.contains("://") && value.contains('@')
}

/// A value on one line that is not too long.
fn shown(value: &str) -> String {
    const MOST: usize = 100;
    let mut text: String = value.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.chars().nth(MOST).is_some() {
        text.push_str("...");
    }
    text
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value}: {}", self.key, self.reason)?,
            None => write!(f, "{}: {}", self.key, self.reason)?,
        }
        match &self.origin {
            Some(Origin::Variable(name)) if *name == self.key => Ok(()),
            Some(origin) if origin.to_string() == self.key => Ok(()),
            Some(origin) => write!(f, " ({origin})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid")?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidConfig {}
