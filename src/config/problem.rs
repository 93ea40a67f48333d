//! What is wrong with a configuration.

use std::fmt;

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConfig {
    /// The problems, in the order of their keys' sources.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `section.key`, or the environment variable.
    pub key: String,
    /// The value; none where it may be a secret or there is none.
    pub value: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, value: Option<String>, reason: impl Into<String>) -> Self {
        let key = key.into();
        let value = value.filter(|_| !may_be_secret(&key));
        Self { key, value, reason: reason.into() }
    }
}

/// URLs may hold passwords, commands may hold anything.
fn may_be_secret(key: &str) -> bool {
    let word_for_secrets = ["key", "url", "secret", "token", "password"].iter().any(|word| key.ends_with(word));
    key.starts_with("vault") || word_for_secrets && !key.ends_with("_per_key")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value}: {}", self.key, self.reason),
            None => write!(f, "{}: {}", self.key, self.reason),
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
