//! What is wrong with a configuration.

use std::fmt;

use super::{Origin, Purpose};

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
    /// The first purpose that it stands in the way of.
    pub(super) since: Purpose,
    /// Keys in the section `key` that can't be set together, and are.
    pub(super) rivals: Option<&'static Rivals>,
}

/// Names of keys of which only one may be set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rivals(pub(super) &'static [&'static str]);

impl Problem {
    pub(super) fn new(key: impl Into<String>, value: Option<String>, reason: impl Into<String>) -> Self {
        let key = key.into();
        let value = value.filter(|value| !value.is_empty() && !may_be_secret(&key) && !may_hold_password(value));
        let value = value.map(|value| shown(&value));
        Self { key, value, reason: reason.into(), origin: None, since: Purpose::Look, rivals: None }
    }

    /// For keys of a section of which only one may be set, if more are.
    pub(super) fn of_rivals(section: &str, rivals: &'static Rivals, set: &[bool]) -> Option<Self> {
        let are_several = set.iter().filter(|is_set| **is_set).count() > 1;
        let (last, before) = rivals.0.split_last().filter(|_| are_several)?;
        let reason = format!("only one of {} and {last} may be set", before.join(", "));
        Some(Self { rivals: Some(rivals), ..Self::new(section, None, reason) })
    }

    /// The same problem where it matters from this purpose on alone.
    pub(super) fn since(self, since: Purpose) -> Self {
        Self { since, ..self }
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
