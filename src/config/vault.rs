//! `[vault]`: where the key ring comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Problem;
use super::load::is_variable_name;
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

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let set = [self.key_file.is_some(), self.key_env.is_some(), self.key_command.is_some()];
        if set.into_iter().filter(|is_set| *is_set).count() > 1 {
            problems.push(Problem::new("vault", None, "only one of key_file, key_env and key_command may be set"));
        }
        if self.key_env.as_deref().is_some_and(|name| !is_variable_name(name)) {
            let reason = "expected the name of an environment variable in capitals";
            problems.push(Problem::new("vault.key_env", None, reason));
        }
    }
}
