//! From the layers to a configuration that is known to be good.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use config::Source as _;
use serde::{Deserialize, Serialize};

use super::layers::{self, Leaf};
use super::providers::{self, ProviderSection};
use super::{
    InvalidConfig, LogSection, Origin, Problem, Provider, Purpose, Setting, StoreSection, VaultSection, settings,
};
use crate::domain::options::OptionError;
use crate::domain::{LimitOptions, ResponseOptions};
use crate::http::{HttpOptions, ServerOptions};

/// The configuration of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The socket and its connections.
    pub server: ServerOptions,
    /// Requests and streams.
    pub http: HttpOptions,
    /// The database.
    pub store: StoreSection,
    /// Where the key ring comes from.
    pub vault: VaultSection,
    /// How responses run.
    pub responses: ResponseOptions,
    /// How large the parts of a request may be.
    pub limits: LimitOptions,
    /// What is logged.
    pub log: LogSection,
    /// The providers that are switched on, by name.
    pub providers: BTreeMap<String, Provider>,
    /// All options with the values that they have, and where each was written; without secrets.
    pub settings: Vec<Setting>,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
}

/// The sections as they are written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sections {
    server: ServerOptions,
    http: HttpOptions,
    store: StoreSection,
    vault: VaultSection,
    responses: ResponseOptions,
    limits: LimitOptions,
    log: LogSection,
    providers: BTreeMap<String, ProviderSection>,
}

impl Default for Sections {
    fn default() -> Self {
        Self {
            server: ServerOptions::default(),
            http: HttpOptions::default(),
            store: StoreSection::default(),
            vault: VaultSection::default(),
            responses: ResponseOptions::default(),
            limits: LimitOptions::default(),
            log: LogSection::default(),
            providers: providers::defaults(),
        }
    }
}

/// Environment variables, by name.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    unreadable: BTreeSet<String>,
}

impl Environment {
    /// The variables of this process. Of those whose values are not Unicode only the names are kept: no key of the
    /// configuration could hold them, and they are refused if they are meant to.
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
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).entries(&self.unreadable).finish()
    }
}

impl Config {
    /// Puts the defaults, the file (if any) and the environment together, to serve with them.
    ///
    /// # Errors
    /// [`InvalidConfig`] with everything that is wrong.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Self, InvalidConfig> {
        Self::load_for(Purpose::Serve, file, environment)
    }

    /// The same for another purpose: secrets that it has no use for may be missing, and are left out then.
    ///
    /// # Errors
    /// [`InvalidConfig`] with everything that is in its way.
    pub fn load_for(purpose: Purpose, file: Option<&Path>, environment: &Environment) -> Result<Self, InvalidConfig> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path).map_err(|error| unreadable_file(path, &error))?,
            None => String::new(),
        };
        let name = file.map_or_else(String::new, |path| path.display().to_string());
        let config = Self::from_layers((&name, &text), environment, purpose)?;
        Ok(Self { file: file.map(Path::to_owned), ..config })
    }

    pub(super) fn from_layers(
        (name, text): (&str, &str),
        environment: &Environment,
        purpose: Purpose,
    ) -> Result<Self, InvalidConfig> {
        let mut problems: Vec<Problem> = layers::unreadable(environment).collect();
        let mut good = default_leaves().map_err(|problem| InvalidConfig { problems: vec![problem] })?;
        let every: Vec<String> = good.iter().map(Leaf::key).collect();
        let (from_file, told) = layers::of_file(name, text);
        if !told.is_empty() {
            problems.splice(0..0, told);
            problems.extend(apart_from_a_file(environment, &every));
            return Err(InvalidConfig { problems });
        }
        layers::keep_good::<Sections>(from_file, &every, (&mut good, &mut problems));
        let named = places_of_secrets(&good, environment);
        let from_environment = layers::of_environment(environment, &named);
        layers::keep_good::<Sections>(from_environment, &every, (&mut good, &mut problems));
        let config = match layers::tree(&good).try_deserialize::<Sections>() {
            Ok(sections) => {
                sections.check_ranges(&good, &mut problems);
                Some(sections.resolve((&good, environment), &mut problems))
            }
            Err(error) => {
                problems.push(Problem::new(name, None, error.to_string()));
                None
            }
        };
        problems.retain(|problem| problem.since <= purpose);
        problems.iter_mut().for_each(|problem| locate(problem, &good));
        config.filter(|_| problems.is_empty()).ok_or(InvalidConfig { problems })
    }
}

/// The reason of a problem where the file that was named is not there.
pub(crate) const NO_FILE: &str = "there is no such file";

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn unreadable_file(path: &Path, error: &std::io::Error) -> InvalidConfig {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => NO_FILE.to_owned(),
        std::io::ErrorKind::InvalidData => "the file is not in UTF-8".to_owned(),
        _ => format!("the file can't be read: {error}"),
    };
    InvalidConfig { problems: vec![Problem::new(path.display().to_string(), None, reason)] }
}

/// What is wrong with the values in the environment, whatever a file says that can't be read: it may name variables as
/// places of secrets, and have the rest of what they are a part of.
fn apart_from_a_file(environment: &Environment, every: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let leaves = layers::of_environment(environment, &[]);
    layers::keep_good::<Sections>(leaves, every, (&mut Vec::new(), &mut problems));
    problems.retain(|problem| !is_variable_name(&problem.key));
    problems
}

/// Says of a problem that was found last where its value was written, or its values.
fn locate(problem: &mut Problem, leaves: &[Leaf]) {
    let origin = |key: &str| leaves.iter().rev().find(|leaf| leaf.key() == key).map(Leaf::origin);
    let place = |name: &&str| origin(&format!("{}.{name}", problem.key)).map(|origin| format!("{name} ({origin})"));
    let places: Vec<String> = problem.rivals.map_or(&[][..], |rivals| rivals.0).iter().filter_map(place).collect();
    if !places.is_empty() {
        problem.reason = format!("{}: {}", problem.reason, places.join(", "));
    }
    if problem.origin.is_none() {
        let key = problem.key.split('[').next().unwrap_or_default();
        problem.origin = origin(key).filter(|origin| **origin != Origin::Default).cloned();
    }
}

impl Sections {
    fn check_ranges(&self, leaves: &[Leaf], problems: &mut Vec<Problem>) {
        let sections: [(&str, Vec<OptionError>); 6] = [
            ("server", self.server.check()),
            ("http", self.http.check()),
            ("store", self.store.check()),
            ("responses", self.responses.check()),
            ("limits", self.limits.check()),
            ("log", self.log.check()),
        ];
        for (section, errors) in sections {
            problems.extend(errors.into_iter().map(|OptionError { key, reason }| {
                let key = format!("{section}.{key}");
                let value = leaves.iter().rev().find(|leaf| leaf.key() == key).map(Leaf::text);
                Problem::new(key, value, reason)
            }));
        }
    }

    fn resolve(self, (leaves, environment): (&[Leaf], &Environment), problems: &mut Vec<Problem>) -> Config {
        self.vault.check(environment, problems);
        let written = settings::of(&self, (leaves, environment)).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        // Options whose key is in another section than the struct that is read.
        let http = HttpOptions { body_timeout: self.server.body_timeout, ..self.http };
        let responses = ResponseOptions {
            outage_patience: self.store.outage_patience,
            client_stall_timeout: http.client_stall_timeout,
            ..self.responses
        };
        Config {
            server: self.server,
            http,
            store: self.store.resolve(problems),
            vault: self.vault,
            responses,
            limits: self.limits,
            log: self.log,
            providers: providers::resolve(self.providers, environment, problems),
            settings: written,
            file: None,
        }
    }
}

/// The keys of the defaults.
pub(super) fn default_leaves() -> Result<Vec<Leaf>, Problem> {
    Sections::default().leaves()
}

impl Sections {
    /// The keys of these sections, in the types that they have; without secrets and models.
    fn leaves(&self) -> Result<Vec<Leaf>, Problem> {
        let table = config::Config::try_from(self).and_then(|sections| sections.collect());
        let failed = |error: config::ConfigError| Problem::new("defaults", None, error.to_string());
        table.map(|table| layers::of_table(table, &Origin::Default)).map_err(failed)
    }

    /// The keys of these sections with what holds for a provider that does not say.
    pub(super) fn whole(&self) -> Result<Vec<Leaf>, Problem> {
        let mut leaves = self.leaves()?;
        for (name, provider) in &self.providers {
            let table = config::Config::try_from(&provider.with_defaults()).and_then(|section| section.collect());
            let table = table.map_err(|error| Problem::new("defaults", None, error.to_string()))?;
            leaves.retain(|leaf| !leaf.path().starts_with(&["providers".to_owned(), name.clone()]));
            leaves.extend(
                layers::of_table(table, &Origin::Default).into_iter().map(|leaf| leaf.below(["providers", name])),
            );
        }
        Ok(leaves)
    }
}

/// The environment variables that the configuration names as places of secrets. They may begin with
/// `ANTIPHON_` without being keys.
fn places_of_secrets(good: &[Leaf], environment: &Environment) -> Vec<String> {
    let mut all = good.to_vec();
    // What is wrong with them is told when they are known to be keys.
    layers::keep_good::<Sections>(layers::of_environment(environment, &[]), &[], (&mut all, &mut Vec::new()));
    let Ok(sections) = layers::tree(&all).try_deserialize::<Sections>() else { return Vec::new() };
    let of_providers = sections.providers.into_values().filter_map(|provider| provider.api_key_env);
    sections.vault.key_env.into_iter().chain(of_providers).collect()
}
