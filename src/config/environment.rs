//! The environment variables that a configuration is read from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Environment variables, by name.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    unreadable: BTreeSet<String>,
}

impl Environment {
    /// The variables of this process. Of those whose values are not Unicode only the names are kept: no option could
    /// hold them, and they are refused if they are meant to set one.
    #[must_use]
    pub fn of_process() -> Self {
        let mut all = Self::default();
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(all.values.insert(name, value)),
                (Ok(name), Err(_)) => drop(all.unreadable.insert(name)),
                (Err(_), _) => {}
            }
        }
        all
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names of the variables whose values are not Unicode.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &str> {
        self.unreadable.iter().map(String::as_str)
    }
}

/// Whether a text can be a variable's name. A secret in capitals can be one, too.
pub(super) fn is_variable_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self { values: variables.into_iter().collect(), unreadable: BTreeSet::new() }
    }
}

// A variable may hold a secret.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).entries(&self.unreadable).finish()
    }
}
