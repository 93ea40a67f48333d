//! From the layers to a configuration that is known to be good.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::entries::{self, CheckedEntries, ConfigEntry};
use super::environment::is_variable_name;
use super::layout::Layout;
use super::sections::Sections;
use super::{
    ConfiguredProvider, Environment, InvalidConfig, LogSection, Problem, Purpose, Setting, StoreSection, ValueSource,
    VaultSection, providers, settings,
};
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
    pub providers: BTreeMap<String, ConfiguredProvider>,
    /// All options with the values that they have, and where each was written; without secrets.
    pub settings: Vec<Setting>,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
}

/// A configuration file that was read.
pub(super) struct ConfigFile<'a> {
    /// The file, as it was named.
    pub(super) name: &'a str,
    pub(super) text: &'a str,
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
        let config = Self::from_layers(&ConfigFile { name: &name, text: &text }, environment, purpose)?;
        Ok(Self { file: file.map(Path::to_owned), ..config })
    }

    pub(super) fn from_layers(
        file: &ConfigFile<'_>,
        environment: &Environment,
        purpose: Purpose,
    ) -> Result<Self, InvalidConfig> {
        let defaults = Sections::default().entries().map_err(|problem| InvalidConfig { problems: vec![problem] })?;
        let layers = Layers::new(environment, defaults);
        let (from_file, wrong_form) = entries::of_file(file.name, file.text);
        if !wrong_form.is_empty() {
            return Err(InvalidConfig { problems: layers.without_file(wrong_form) });
        }
        let CheckedEntries { valid, mut problems } = layers.with_file(from_file);
        let config = match entries::tree(&valid, &layers.layout).try_deserialize::<Sections>() {
            Ok(sections) => {
                problems.extend(sections.check(&valid));
                Some(Self::from_sections(sections, &valid, environment, &mut problems))
            }
            Err(error) => {
                problems.push(Problem::new(file.name, None, error.to_string()));
                None
            }
        };
        problems.retain(|problem| problem.matters_from <= purpose);
        problems.iter_mut().for_each(|problem| locate(problem, &valid));
        config.filter(|_| problems.is_empty()).ok_or(InvalidConfig { problems })
    }

    fn from_sections(
        mut sections: Sections,
        entries: &[ConfigEntry],
        environment: &Environment,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let values = sections.entries().unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        problems.extend(sections.locate_secrets(environment));
        sections.share_options();
        Self {
            server: sections.server,
            http: sections.http,
            store: sections.store,
            vault: sections.vault,
            responses: sections.responses,
            limits: sections.limits,
            log: sections.log,
            providers: providers::resolve(sections.providers, entries, environment, problems),
            settings: settings::list(&values, entries, environment),
            file: None,
        }
    }
}

/// The layers below and above a file.
struct Layers<'a> {
    layout: Layout<Sections>,
    environment: &'a Environment,
    defaults: Vec<ConfigEntry>,
    /// The options that an unknown one is compared with.
    known: Vec<String>,
}

impl<'a> Layers<'a> {
    fn new(environment: &'a Environment, defaults: Vec<ConfigEntry>) -> Self {
        let known = defaults.iter().map(ConfigEntry::key).collect();
        Self { layout: Sections::layout(), environment, defaults, known }
    }

    /// The entries of all layers, each checked alone.
    fn with_file(&self, from_file: Vec<ConfigEntry>) -> CheckedEntries {
        let problems = entries::unreadable(self.environment).collect();
        let mut checked = CheckedEntries { valid: self.defaults.clone(), problems };
        checked.add(from_file, &self.layout, &self.known);
        let secrets = self.secret_variables(&checked.valid);
        checked.add(entries::of_environment(self.environment, &secrets), &self.layout, &self.known);
        checked
    }

    /// The environment variables that the file or the environment itself names as holders of secrets.
    fn secret_variables(&self, below: &[ConfigEntry]) -> Vec<String> {
        let mut checked = CheckedEntries { valid: below.to_vec(), problems: Vec::new() };
        // Their problems are reported later, when it is known which variables are options.
        checked.add(entries::of_environment(self.environment, &[]), &self.layout, &[]);
        let sections = entries::tree(&checked.valid, &self.layout).try_deserialize::<Sections>();
        sections.map(|sections| sections.secret_variables().collect()).unwrap_or_default()
    }

    /// What is wrong where a file can't be read, which may name variables as holders of secrets, and have the rest of
    /// what they are a part of: its form, and single values in the environment.
    fn without_file(&self, wrong_form: Vec<Problem>) -> Vec<Problem> {
        let mut checked = CheckedEntries::default();
        checked.add(entries::of_environment(self.environment, &[]), &self.layout, &self.known);
        let of_environment = checked.problems.into_iter().filter(|problem| !is_variable_name(&problem.key));
        wrong_form.into_iter().chain(entries::unreadable(self.environment)).chain(of_environment).collect()
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

/// Adds to a problem where its value was written, or its values.
fn locate(problem: &mut Problem, entries: &[ConfigEntry]) {
    let source = |key: &str| entries.iter().rev().find(|entry| entry.key() == key).map(ConfigEntry::source);
    let place = |name: &&str| source(&format!("{}.{name}", problem.key)).map(|source| format!("{name} ({source})"));
    let exclusive = problem.exclusive.map_or(&[][..], |options| options.0);
    let places: Vec<String> = exclusive.iter().filter_map(place).collect();
    if !places.is_empty() {
        problem.reason = format!("{}: {}", problem.reason, places.join(", "));
    }
    if problem.source.is_none() {
        let key = problem.key.split('[').next().unwrap_or_default();
        problem.source = source(key).filter(|source| **source != ValueSource::Default).cloned();
    }
}
