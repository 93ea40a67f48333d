//! `[providers.NAME]`: where answers come from.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::load::is_variable_name;
use super::models::Models;
use super::{Environment, Model, Problem, duration};

/// A provider that is switched on.
#[derive(Debug, Clone)]
pub enum Provider {
    /// The built-in conversation program, for trying things out offline. Its only model is `eliza`.
    Eliza,
    /// A server with the Chat Completions API.
    ChatCompletions(ChatCompletionsSection),
}

/// `[providers.NAME]` with `kind = "chat_completions"`.
#[derive(Debug, Clone)]
pub struct ChatCompletionsSection {
    /// The URL that `/chat/completions` follows.
    pub base_url: String,
    /// The key that is sent as a bearer token, if any.
    pub api_key: Option<SecretString>,
    /// The models that are asked for there.
    pub models: Vec<Model>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the first byte of an answer may take.
    pub first_byte_timeout: Duration,
    /// How long an answer may pause.
    pub idle_timeout: Duration,
}

/// The section as it is written, before it is known to make sense.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProviderSection {
    kind: Option<Kind>,
    enabled: Option<bool>,
    base_url: Option<String>,
    pub(super) api_key_env: Option<String>,
    models: Option<Models>,
    #[serde(with = "duration::optional")]
    connect_timeout: Option<Duration>,
    #[serde(with = "duration::optional")]
    first_byte_timeout: Option<Duration>,
    #[serde(with = "duration::optional")]
    idle_timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Eliza,
    ChatCompletions,
}

/// The providers of a server that is told nothing: `eliza`.
pub(super) fn defaults() -> BTreeMap<String, ProviderSection> {
    let eliza = ProviderSection { kind: Some(Kind::Eliza), enabled: Some(true), ..ProviderSection::default() };
    BTreeMap::from([("eliza".to_owned(), eliza)])
}

/// The providers that are switched on; what is wrong with them goes to `problems`.
pub(super) fn resolve(
    sections: BTreeMap<String, ProviderSection>,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Provider> {
    let mut providers = BTreeMap::new();
    for (name, section) in sections {
        if section.enabled == Some(false) {
            continue;
        }
        let mut checked = Checked { name: &name, environment, problems: &mut *problems };
        if let Some(provider) = checked.provider(section) {
            providers.insert(name, provider);
        }
    }
    find_shared_models(&providers, problems);
    providers
}

fn find_shared_models(providers: &BTreeMap<String, Provider>, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (name, provider) in providers {
        let models: Vec<&str> = match provider {
            Provider::Eliza => vec!["eliza"],
            Provider::ChatCompletions(section) => section.models.iter().map(|model| model.id.as_str()).collect(),
        };
        for model in models {
            if !seen.insert(model.to_owned()) {
                let key = format!("providers.{name}.models");
                problems.push(Problem::new(key, Some(model.to_owned()), "there is another model of that name"));
            }
        }
    }
}

struct Checked<'a> {
    name: &'a str,
    environment: &'a Environment,
    problems: &'a mut Vec<Problem>,
}

impl Checked<'_> {
    fn provider(&mut self, section: ProviderSection) -> Option<Provider> {
        let name_fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !self.name.bytes().all(name_fits) {
            self.refuse("", None, "a provider's name has lower-case letters, digits, '-' and '_'");
        }
        match section.kind {
            None => {
                self.refuse(".kind", None, "is missing; expected \"chat_completions\" or \"eliza\"");
                None
            }
            Some(Kind::Eliza) => self.eliza(&section),
            Some(Kind::ChatCompletions) => self.chat_completions(section),
        }
    }

    fn eliza(&mut self, section: &ProviderSection) -> Option<Provider> {
        let without_effect = [
            (".base_url", section.base_url.is_some()),
            (".api_key_env", section.api_key_env.is_some()),
            (".models", section.models.is_some()),
            (".connect_timeout", section.connect_timeout.is_some()),
            (".first_byte_timeout", section.first_byte_timeout.is_some()),
            (".idle_timeout", section.idle_timeout.is_some()),
        ];
        for (key, _) in without_effect.into_iter().filter(|(_, is_set)| *is_set) {
            self.refuse(key, None, "has no effect on a provider of the kind \"eliza\"");
        }
        Some(Provider::Eliza)
    }

    fn chat_completions(&mut self, section: ProviderSection) -> Option<Provider> {
        let base_url = self.base_url(section.base_url.unwrap_or_default());
        let api_key = self.api_key(section.api_key_env);
        let models = section.models.unwrap_or_default().0;
        self.models(&models);
        Some(Provider::ChatCompletions(ChatCompletionsSection {
            base_url: base_url?,
            api_key,
            models,
            connect_timeout: section.connect_timeout.unwrap_or(Duration::from_secs(5)),
            first_byte_timeout: section.first_byte_timeout.unwrap_or(Duration::from_secs(30)),
            idle_timeout: section.idle_timeout.unwrap_or(Duration::from_secs(60)),
        }))
    }

    fn base_url(&mut self, base_url: String) -> Option<String> {
        let is_http = base_url.starts_with("http://") || base_url.starts_with("https://");
        let parsed = reqwest::Url::parse(&base_url).ok().filter(|url| is_http && url.has_host());
        if parsed.is_some_and(|url| url.username().is_empty() && url.password().is_none()) {
            return Some(base_url);
        }
        self.refuse(".base_url", None, "expected a URL that begins with http:// or https://, without a password");
        None
    }

    fn api_key(&mut self, name: Option<String>) -> Option<SecretString> {
        let name = name?;
        if !is_variable_name(&name) {
            self.refuse(".api_key_env", None, "expected the name of an environment variable in capitals");
            return None;
        }
        let Some(key) = self.environment.get(&name) else {
            self.refuse(".api_key_env", Some(name), "there is no such environment variable");
            return None;
        };
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = "the variable holds no key: one has visible ASCII characters, no blanks and no line breaks";
            self.refuse(".api_key_env", Some(name), reason);
            return None;
        }
        Some(key.into())
    }

    fn models(&mut self, models: &[Model]) {
        if models.is_empty() {
            self.refuse(".models", None, "expected at least one model");
        }
        for model in models {
            let tokens_fit = model.max_output_tokens.is_none_or(|tokens| (1..=100_000).contains(&tokens));
            if !tokens_fit {
                self.refuse(".models", Some(model.id.clone()), "max_output_tokens is not between 1 and 100000");
            }
            if model.id.is_empty() || model.upstream_id.is_empty() || model.context_window == Some(0) {
                self.refuse(".models", Some(model.id.clone()), "a model has a name and a context window above 0");
            }
        }
    }

    fn refuse(&mut self, key: &str, value: Option<String>, reason: &str) {
        self.problems.push(Problem::new(format!("providers.{}{key}", self.name), value, reason));
    }
}
