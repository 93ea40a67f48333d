//! What is wrong with a configuration.

use std::fmt;

use super::{Purpose, ValueSource};

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConfig {
    /// The problems, in the order of their keys' sources.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The option, as `section.key`; an environment variable that is no option; or the file.
    pub key: String,
    /// The value; none where it may be a secret or there is none.
    pub value: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// Where it was written; none for what is missing.
    pub source: Option<ValueSource>,
    /// The first purpose that it stands in the way of.
    pub(super) matters_from: Purpose,
    /// Options of the section `key` that are set and exclude each other.
    pub(super) exclusive: Option<&'static ExclusiveOptions>,
}

/// Names of options of which only one may be set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExclusiveOptions(pub(super) &'static [&'static str]);

impl Problem {
    pub(super) fn new(key: impl Into<String>, value: Option<String>, reason: impl Into<String>) -> Self {
        let key = key.into();
        let value = value.filter(|value| !value.is_empty() && !may_be_secret(&key) && !may_hold_password(value));
        let value = value.map(|value| shown(&value));
        Self { key, value, reason: reason.into(), source: None, matters_from: Purpose::Look, exclusive: None }
    }

    /// The problem that more than one of these options of a section is set, if that is so.
    pub(super) fn of_exclusive(section: &str, options: &'static ExclusiveOptions, set: &[bool]) -> Option<Self> {
        let are_several = set.iter().filter(|is_set| **is_set).count() > 1;
        let (last, before) = options.0.split_last().filter(|_| are_several)?;
        let reason = format!("only one of {} and {last} may be set", before.join(", "));
        Some(Self { exclusive: Some(options), ..Self::new(section, None, reason) })
    }

    /// The same problem, which matters from this purpose on alone.
    pub(super) fn matters_from(self, matters_from: Purpose) -> Self {
        Self { matters_from, ..self }
    }

    pub(super) fn at(self, source: ValueSource) -> Self {
        Self { source: Some(source), ..self }
    }
}

/// Whether the option may hold a secret: URLs may hold passwords, commands may hold anything.
fn may_be_secret(key: &str) -> bool {
    let word_for_secrets = ["key", "url", "secret", "token", "password"].iter().any(|word| key.ends_with(word));
    key.starts_with("vault") || word_for_secrets && !key.ends_with("_per_key")
}

/// Whether the value looks like a URL with a password, in an option that is no URL.
fn may_hold_password(value: &str) -> bool {
    value.contains("://") && value.contains('@')
}

/// The value on one line, cut if it is long.
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
        match &self.source {
            Some(ValueSource::Variable(name)) if *name == self.key => Ok(()),
            Some(source) if source.to_string() == self.key => Ok(()),
            Some(source) => write!(f, " ({source})"),
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
