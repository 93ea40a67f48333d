//! `[vault]`: where the key ring comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::environment::is_variable_name;
use super::problem::ExclusiveOptions;
use super::{Environment, Problem, Purpose, secret_file};
use crate::vault::KeySource;

/// `[vault]`: where the key ring comes from; at most one of them is set.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaultSection {
    /// A file that only its owner may read; `keys.json` in the data directory if nothing is set.
    pub key_file: Option<PathBuf>,
    /// The name of an environment variable that holds the ring.
    pub key_env: Option<String>,
    /// A command that prints the ring.
    pub key_command: Option<String>,
}

// A command may hold a secret.
impl fmt::Debug for VaultSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultSection")
            .field("key_file", &self.key_file)
            .field("key_env", &self.key_env)
            .finish_non_exhaustive()
    }
}

static KEY_OPTIONS: ExclusiveOptions = ExclusiveOptions(&["key_file", "key_env", "key_command"]);

impl VaultSection {
    /// Where the key ring comes from.
    #[must_use]
    pub fn source(&self, data_dir: &Path) -> KeySource {
        match (&self.key_command, &self.key_env, &self.key_file) {
            (Some(command), _, _) => KeySource::Command(command.clone()),
            (None, Some(name), _) => KeySource::Variable(name.clone()),
            (None, None, Some(path)) => KeySource::File(path.clone()),
            (None, None, None) => KeySource::File(data_dir.join("keys.json")),
        }
    }

    /// What is wrong with the options, and with the place that they name.
    pub(super) fn check(&self, environment: &Environment) -> Vec<Problem> {
        let set = [self.key_file.is_some(), self.key_env.is_some(), self.key_command.is_some()];
        let of_place = match Problem::of_exclusive("vault", &KEY_OPTIONS, &set) {
            Some(problem) => Some(problem),
            None => self.problem_of_place(environment).map(|problem| problem.matters_from(Purpose::Accounts)),
        };
        self.problem_of_form().into_iter().chain(of_place).collect()
    }

    /// What is wrong with the values themselves, on any machine.
    fn problem_of_form(&self) -> Option<Problem> {
        const EMPTY: &str = "is empty: leave it out, or give it a value";
        if self.key_file.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Some(Problem::new("vault.key_file", None, EMPTY));
        }
        if self.key_command.as_ref().is_some_and(|command| command.trim().is_empty()) {
            return Some(Problem::new("vault.key_command", None, EMPTY));
        }
        let name = self.key_env.as_deref().filter(|name| !is_variable_name(name))?;
        let reason = if name.is_empty() { EMPTY } else { "expected the name of an environment variable in capitals" };
        Some(Problem::new("vault.key_env", None, reason))
    }

    /// What is wrong with the place that is named. A file need not be there yet.
    fn problem_of_place(&self, environment: &Environment) -> Option<Problem> {
        if let Some(name) = self.key_env.as_deref().filter(|name| is_variable_name(name)) {
            let reason = match environment.get(name) {
                None => "there is no such environment variable",
                Some("") => "the variable is empty",
                Some(_) => return None,
            };
            return Some(Problem::new("vault.key_env", None, reason));
        }
        let path = self.key_file.as_ref().filter(|path| !path.as_os_str().is_empty())?;
        let reason = secret_file::check_if_there(path).err()?;
        Some(Problem::new("vault.key_file", None, reason))
    }
}
