//! From the layers to a configuration that is known to be good.

use std::collections::BTreeMap;
use std::path::Path;

use config::Source as _;
use garde::Validate;
use serde::{Deserialize, Serialize};

use super::layers::{self, Leaf};
use super::providers::{self, ProviderSection};
use super::{
    HttpSection, InvalidConfig, LimitsSection, LogSection, Problem, Provider, ResponsesSection, ServerSection,
    StoreSection, VaultSection,
};

/// The configuration of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The socket and its connections.
    pub server: ServerSection,
    /// Requests and streams.
    pub http: HttpSection,
    /// The database.
    pub store: StoreSection,
    /// Where the key ring comes from.
    pub vault: VaultSection,
    /// How responses run.
    pub responses: ResponsesSection,
    /// How large the parts of a request may be.
    pub limits: LimitsSection,
    /// What is logged.
    pub log: LogSection,
    /// The providers that are switched on, by name.
    pub providers: BTreeMap<String, Provider>,
}

/// The sections as they are written.
#[derive(Debug, Serialize, Deserialize, Validate)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sections {
    #[garde(dive)]
    server: ServerSection,
    #[garde(dive)]
    http: HttpSection,
    #[garde(dive)]
    store: StoreSection,
    #[garde(skip)]
    vault: VaultSection,
    #[garde(dive)]
    responses: ResponsesSection,
    #[garde(dive)]
    limits: LimitsSection,
    #[garde(dive)]
    log: LogSection,
    #[garde(skip)]
    providers: BTreeMap<String, ProviderSection>,
}

impl Default for Sections {
    fn default() -> Self {
        Self {
            server: ServerSection::default(),
            http: HttpSection::default(),
            store: StoreSection::default(),
            vault: VaultSection::default(),
            responses: ResponsesSection::default(),
            limits: LimitsSection::default(),
            log: LogSection::default(),
            providers: providers::defaults(),
        }
    }
}

/// Environment variables, by name.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. Those that are not Unicode are left out: no key of the configuration
    /// could hold them.
    #[must_use]
    pub fn of_process() -> Self {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(unicode).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Whether a text can be a variable's name, and is not a secret that was put where the name belongs.
pub(super) fn is_variable_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

// A variable may hold a secret.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Config {
    /// Puts the defaults, the file (if any) and the environment together.
    ///
    /// # Errors
    /// [`InvalidConfig`] with everything that is wrong.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Self, InvalidConfig> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                let problem = Problem::new(path.display().to_string(), None, error.to_string());
                InvalidConfig { problems: vec![problem] }
            })?,
            None => String::new(),
        };
        let name = file.map_or_else(String::new, |path| path.display().to_string());
        Self::from_layers(&name, &text, environment)
    }

    pub(super) fn from_layers(name: &str, text: &str, environment: &Environment) -> Result<Self, InvalidConfig> {
        let mut problems = Vec::new();
        let mut good = default_leaves().map_err(|problem| InvalidConfig { problems: vec![problem] })?;
        let from_file = layers::of_file(name, text).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        layers::keep_good::<Sections>(from_file, &mut good, &mut problems);
        let named = places_of_secrets(&good, environment);
        layers::keep_good::<Sections>(layers::of_environment(environment, &named), &mut good, &mut problems);
        let config = match layers::tree(&good).try_deserialize::<Sections>() {
            Ok(sections) => {
                sections.check_ranges(&good, &mut problems);
                Some(sections.resolve(environment, &mut problems))
            }
            Err(error) => {
                problems.push(Problem::new(name, None, error.to_string()));
                None
            }
        };
        config.filter(|_| problems.is_empty()).ok_or(InvalidConfig { problems })
    }
}

impl Sections {
    fn check_ranges(&self, leaves: &[Leaf], problems: &mut Vec<Problem>) {
        let Err(report) = self.validate() else { return };
        problems.extend(report.iter().map(|(path, error)| {
            let key = path.to_string();
            let value = leaves.iter().rev().find(|leaf| leaf.key() == key).map(Leaf::text);
            Problem::new(key, value, error.message())
        }));
    }

    fn resolve(self, environment: &Environment, problems: &mut Vec<Problem>) -> Config {
        self.vault.check(problems);
        Config {
            server: self.server,
            http: self.http,
            store: self.store,
            vault: self.vault,
            responses: self.responses,
            limits: self.limits,
            log: self.log,
            providers: providers::resolve(self.providers, environment, problems),
        }
    }
}

/// The keys of the defaults.
pub(super) fn default_leaves() -> Result<Vec<Leaf>, Problem> {
    let table = config::Config::try_from(&Sections::default()).and_then(|defaults| defaults.collect());
    table.map(layers::of_table).map_err(|error| Problem::new("defaults", None, error.to_string()))
}

/// The environment variables that the configuration names as places of secrets. They may begin with
/// `ANTIPHON_` without being keys.
fn places_of_secrets(good: &[Leaf], environment: &Environment) -> Vec<String> {
    let mut all = good.to_vec();
    // What is wrong with them is told when they are known to be keys.
    layers::keep_good::<Sections>(layers::of_environment(environment, &[]), &mut all, &mut Vec::new());
    let Ok(sections) = layers::tree(&all).try_deserialize::<Sections>() else { return Vec::new() };
    let of_providers = sections.providers.into_values().filter_map(|provider| provider.api_key_env);
    sections.vault.key_env.into_iter().chain(of_providers).collect()
}
