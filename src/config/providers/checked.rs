//! One provider: from what is written to what is known to make sense.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::section::{ProviderKind, ProviderSection, owner};
use super::{ConfiguredProvider, UpstreamProvider};
use crate::config::entries::ConfigEntry;
use crate::config::environment::is_variable_name;
use crate::config::models::{self, ModelSection, WrittenModels};
use crate::config::problem::ExclusiveOptions;
use crate::config::{Environment, Problem, Purpose, secret_file};
use crate::domain::options::OptionError;

static KEY_OPTIONS: ExclusiveOptions = ExclusiveOptions(&["api_key_env", "api_key_file"]);

/// What the checks of a provider read beside its section.
pub(super) struct CheckContext<'a> {
    /// The provider's name.
    pub(super) name: &'a str,
    /// The options of all layers.
    pub(super) entries: &'a [ConfigEntry],
    pub(super) environment: &'a Environment,
}

/// Checks a provider. What is wrong with it goes to the problems; what stands in for a wrong value does not matter,
/// since with a problem there is no configuration.
pub(super) fn check(
    section: ProviderSection,
    context: &CheckContext<'_>,
    problems: &mut Vec<Problem>,
) -> ConfiguredProvider {
    ProviderCheck { context, problems }.provider(section)
}

struct ProviderCheck<'a> {
    context: &'a CheckContext<'a>,
    problems: &'a mut Vec<Problem>,
}

impl ProviderCheck<'_> {
    fn provider(&mut self, mut section: ProviderSection) -> ConfiguredProvider {
        let name_fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !self.context.name.bytes().all(name_fits) {
            self.refuse("", None, "a provider's name has lower-case letters, digits, '-' and '_'");
        }
        for OptionError { key, reason } in section.options.check() {
            let value = self.written(key);
            self.refuse(&format!(".{key}"), value, &reason);
        }
        if section.kind.is_none() {
            let kinds = "is missing; expected \"chat_completions\", \"responses\", \"anthropic\" or \"eliza\"";
            self.missing(".kind", kinds);
        }
        let kind = section.kind.unwrap_or(ProviderKind::ChatCompletions);
        self.check_effects(kind);
        if kind == ProviderKind::Eliza {
            return ConfiguredProvider::Eliza(section.options);
        }
        let models = section.models.take();
        ConfiguredProvider::Upstream(Box::new(UpstreamProvider {
            kind,
            base_url: self.base_url(section.base_url.clone()),
            api_key: self.api_key(section.api_key_env.clone(), section.api_key_file.clone()),
            models: self.models(models, &section),
            section,
        }))
    }

    /// Refuses the options that are written and have no effect on a provider of this kind.
    fn check_effects(&mut self, kind: ProviderKind) {
        for option in self.options().filter(|option| !kind.has(option)).collect::<Vec<_>>() {
            let reason = match owner(&option).filter(|_| kind != ProviderKind::Eliza) {
                Some(owner) => format!("has no effect on a provider of another kind than \"{}\"", owner.as_str()),
                None => format!("has no effect on a provider of the kind \"{}\"", kind.as_str()),
            };
            self.refuse(&format!(".{option}"), None, &reason);
        }
    }

    /// The options of this provider that are written in some layer, each once.
    fn options(&self) -> impl Iterator<Item = String> + use<'_> {
        let mut options: Vec<&String> = self.own_entries().filter_map(|entry| entry.path().get(2)).collect();
        options.sort();
        options.dedup();
        options.into_iter().cloned()
    }

    fn own_entries(&self) -> impl DoubleEndedIterator<Item = &ConfigEntry> {
        let name = self.context.name;
        let is_own =
            move |entry: &&ConfigEntry| matches!(entry.path(), [first, own, _] if first == "providers" && own == name);
        self.context.entries.iter().filter(is_own)
    }

    /// The value of an option, as it is written.
    fn written(&self, option: &str) -> Option<String> {
        let is_option = |entry: &&ConfigEntry| entry.path().last().is_some_and(|last| last == option);
        self.own_entries().rev().find(is_option).map(ConfigEntry::text)
    }

    fn base_url(&mut self, base_url: Option<String>) -> String {
        let Some(base_url) = base_url else {
            self.missing(".base_url", "is missing; expected a URL that begins with http:// or https://");
            return String::new();
        };
        let is_http = base_url.starts_with("http://") || base_url.starts_with("https://");
        let bare = |url: &url::Url| {
            url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        if !(is_http && url::Url::parse(&base_url).is_ok_and(|url| bare(&url))) {
            let reason = "expected a URL that begins with http:// or https://, without a password, '?' and '#'";
            self.refuse(".base_url", None, reason);
        }
        base_url
    }

    fn api_key(&mut self, variable: Option<String>, file: Option<PathBuf>) -> Option<SecretString> {
        let set = [variable.is_some(), file.is_some()];
        let section = format!("providers.{}", self.context.name);
        if let Some(problem) = Problem::of_exclusive(&section, &KEY_OPTIONS, &set) {
            self.problems.push(problem);
            return None;
        }
        match (variable, file) {
            (None, None) => None,
            (Some(name), _) => self.key_of_variable(name),
            (None, Some(path)) => {
                let read = secret_file::read(&path).and_then(|key| usable(key, "the file"));
                read.map_err(|reason| self.no_key(".api_key_file", Some(path.display().to_string()), &reason)).ok()
            }
        }
    }

    fn key_of_variable(&mut self, name: String) -> Option<SecretString> {
        if !is_variable_name(&name) {
            self.refuse(".api_key_env", None, "expected the name of an environment variable in capitals");
            return None;
        }
        let Some(key) = self.context.environment.get(&name) else {
            // It may be the key itself, where that has capitals and digits alone.
            self.no_key(".api_key_env", None, "there is no environment variable of the name that is written here");
            return None;
        };
        usable(key.into(), "the variable").map_err(|reason| self.no_key(".api_key_env", Some(name), &reason)).ok()
    }

    fn models(&mut self, written: Option<WrittenModels>, section: &ProviderSection) -> Vec<ModelSection> {
        let written = written.unwrap_or_default().0;
        if written.is_empty() {
            self.missing(".models", "expected at least one model");
        }
        let key = |index| format!("providers.{}.models[{index}]", self.context.name);
        let read = |(index, value)| models::read(&key(index), value, section.timeouts, &mut *self.problems);
        written.into_iter().enumerate().map(read).collect()
    }

    /// Adds the problem that an option is missing, unless a problem with its value was found before.
    fn missing(&mut self, option: &str, reason: &str) {
        let key = format!("providers.{}{option}", self.context.name);
        if !self.problems.iter().any(|problem| problem.key == key) {
            self.problems.push(Problem::new(key, None, reason));
        }
    }

    /// Adds the problem that there is no key, which matters to a server alone.
    fn no_key(&mut self, option: &str, value: Option<String>, reason: &str) {
        let problem = Problem::new(format!("providers.{}{option}", self.context.name), value, reason);
        self.problems.push(problem.matters_from(Purpose::Serve));
    }

    fn refuse(&mut self, option: &str, value: Option<String>, reason: &str) {
        self.problems.push(Problem::new(format!("providers.{}{option}", self.context.name), value, reason));
    }
}

fn usable(key: SecretString, place: &str) -> Result<SecretString, String> {
    let text = key.expose_secret();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{place} holds no key: one has visible ASCII characters, no blanks and no line breaks"));
    }
    Ok(key)
}
