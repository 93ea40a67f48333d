//! One provider: from what is written to what is known to make sense.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::section::{KindName, OutputLimitName, ProviderSection, ThinkingName};
use super::{Capacity, Kind, MAX_RETRIES, Provider, UpstreamSection};
use crate::config::load::is_variable_name;
use crate::config::models::{self, Models};
use crate::config::{Environment, Problem, Purpose, Rivals, secret_file};
use crate::domain::Timeouts;
use crate::provider::{OutputLimitField, ThinkingForm};

const MOST_AT_ONCE: usize = 100_000;
const MOST_WAITING: usize = 1_000_000;
const MOST_RETRIES: u32 = 10;

static PLACES: Rivals = Rivals(&["api_key_env", "api_key_file"]);

/// The provider of that name. What is wrong with it goes to the problems.
pub(super) fn provider(
    name: &str,
    section: ProviderSection,
    (environment, problems): (&Environment, &mut Vec<Problem>),
) -> Provider {
    Checked { name, environment, problems }.provider(section)
}

struct Checked<'a> {
    name: &'a str,
    environment: &'a Environment,
    problems: &'a mut Vec<Problem>,
}

impl Checked<'_> {
    fn provider(&mut self, section: ProviderSection) -> Provider {
        let name_fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !self.name.bytes().all(name_fits) {
            self.refuse("", None, "a provider's name has lower-case letters, digits, '-' and '_'");
        }
        let capacity = self.capacity(&section);
        let kind = match section.kind {
            Some(KindName::Eliza) => {
                for key in section.keys_of_servers() {
                    self.refuse(key, None, "has no effect on a provider of the kind \"eliza\"");
                }
                return Provider::Eliza(capacity);
            }
            Some(KindName::ChatCompletions) => Kind::ChatCompletions(output_limit_field(&section)),
            Some(KindName::Responses) => Kind::Responses { reattach: section.reattach.unwrap_or(false) },
            Some(KindName::Anthropic) => Kind::Anthropic(thinking_form(&section)),
            None => {
                let kinds = "is missing; expected \"chat_completions\", \"responses\", \"anthropic\" or \"eliza\"";
                self.missing(".kind", kinds);
                Kind::ChatCompletions(OutputLimitField::default())
            }
        };
        if section.thinking.is_some() && !matches!(kind, Kind::Anthropic(_)) {
            self.refuse(".thinking", None, "has no effect on a provider of another kind than \"anthropic\"");
        }
        if section.output_limit_field.is_some() && !matches!(kind, Kind::ChatCompletions(_)) {
            let reason = "has no effect on a provider of another kind than \"chat_completions\"";
            self.refuse(".output_limit_field", None, reason);
        }
        if section.reattach.is_some() && !matches!(kind, Kind::Responses { .. }) {
            self.refuse(".reattach", None, "has no effect on a provider of another kind than \"responses\"");
        }
        Provider::Upstream(self.upstream(kind, section, capacity))
    }

    fn upstream(&mut self, kind: Kind, section: ProviderSection, capacity: Capacity) -> UpstreamSection {
        let timeouts = timeouts(&section);
        let max_retries = section.max_retries.unwrap_or(MAX_RETRIES);
        if max_retries > MOST_RETRIES {
            let reason = format!("expected a number between 0 and {MOST_RETRIES}");
            self.refuse(".max_retries", Some(max_retries.to_string()), &reason);
        }
        UpstreamSection {
            kind,
            base_url: self.base_url(section.base_url),
            api_key: self.api_key(section.api_key_env, section.api_key_file),
            models: self.models(section.models, timeouts),
            timeouts,
            capacity,
            max_retries,
        }
    }

    fn capacity(&mut self, section: &ProviderSection) -> Capacity {
        let defaults = Capacity::default();
        if let Some(queue) = section.max_queue.filter(|queue| *queue > MOST_WAITING) {
            let reason = format!("expected a number between 0 and {MOST_WAITING}");
            self.refuse(".max_queue", Some(queue.to_string()), &reason);
        }
        let mut limit = |key, value: Option<usize>, most| {
            let value = value?;
            let limit = NonZeroUsize::new(value).filter(|limit| limit.get() <= most);
            if limit.is_none() {
                let reason = format!("expected a number between 1 and {most}");
                self.refuse(key, Some(value.to_string()), &reason);
            }
            limit
        };
        Capacity {
            max_concurrent: limit(".max_concurrent", section.max_concurrent, MOST_AT_ONCE)
                .unwrap_or(defaults.max_concurrent),
            max_queue: section.max_queue.unwrap_or(defaults.max_queue),
            max_concurrent_per_key: limit(".max_concurrent_per_key", section.max_concurrent_per_key, MOST_AT_ONCE),
            queue_timeout: section.queue_timeout.unwrap_or(defaults.queue_timeout),
        }
    }

    fn base_url(&mut self, base_url: Option<String>) -> String {
        let Some(base_url) = base_url else {
            self.missing(".base_url", "is missing; expected a URL that begins with http:// or https://");
            return String::new();
        };
        let is_http = base_url.starts_with("http://") || base_url.starts_with("https://");
        let bare = |url: &reqwest::Url| {
            url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        if !(is_http && reqwest::Url::parse(&base_url).is_ok_and(|url| bare(&url))) {
            let reason = "expected a URL that begins with http:// or https://, without a password, '?' and '#'";
            self.refuse(".base_url", None, reason);
        }
        base_url
    }

    fn api_key(&mut self, variable: Option<String>, file: Option<PathBuf>) -> Option<SecretString> {
        let set = [variable.is_some(), file.is_some()];
        if let Some(rivals) = Problem::of_rivals(&format!("providers.{}", self.name), &PLACES, &set) {
            self.problems.push(rivals);
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
        let Some(key) = self.environment.get(&name) else {
            // It may be the key itself, where that has capitals and digits alone.
            self.no_key(".api_key_env", None, "there is no environment variable of the name that is written here");
            return None;
        };
        usable(key.into(), "the variable").map_err(|reason| self.no_key(".api_key_env", Some(name), &reason)).ok()
    }

    fn models(&mut self, written: Option<Models>, timeouts: Timeouts) -> Vec<models::Model> {
        let written = written.unwrap_or_default().0;
        if written.is_empty() {
            self.missing(".models", "expected at least one model");
        }
        let key = |index| format!("providers.{}.models[{index}]", self.name);
        let read = |(index, value)| models::read(&key(index), value, (timeouts, &mut *self.problems));
        written.into_iter().enumerate().map(read).collect()
    }

    /// For what is not there; unless it is, and what is wrong with it was told already.
    fn missing(&mut self, key: &str, reason: &str) {
        let whole = format!("providers.{}{key}", self.name);
        if !self.problems.iter().any(|problem| problem.key == whole) {
            self.problems.push(Problem::new(whole, None, reason));
        }
    }

    /// For a key that can't be had. Only who asks the provider needs it.
    fn no_key(&mut self, key: &str, value: Option<String>, reason: &str) {
        let problem = Problem::new(format!("providers.{}{key}", self.name), value, reason);
        self.problems.push(problem.since(Purpose::Serve));
    }

    fn refuse(&mut self, key: &str, value: Option<String>, reason: &str) {
        self.problems.push(Problem::new(format!("providers.{}{key}", self.name), value, reason));
    }
}

fn usable(key: SecretString, place: &str) -> Result<SecretString, String> {
    let text = key.expose_secret();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{place} holds no key: one has visible ASCII characters, no blanks and no line breaks"));
    }
    Ok(key)
}

fn output_limit_field(section: &ProviderSection) -> OutputLimitField {
    match section.output_limit_field {
        None | Some(OutputLimitName::MaxCompletionTokens) => OutputLimitField::MaxCompletionTokens,
        Some(OutputLimitName::MaxTokens) => OutputLimitField::MaxTokens,
    }
}

fn thinking_form(section: &ProviderSection) -> ThinkingForm {
    match section.thinking {
        None | Some(ThinkingName::Adaptive) => ThinkingForm::Adaptive,
        Some(ThinkingName::Budget) => ThinkingForm::Budget,
    }
}

fn timeouts(section: &ProviderSection) -> Timeouts {
    let defaults = Timeouts::default();
    Timeouts {
        connect: section.connect_timeout.unwrap_or(defaults.connect),
        first_byte: section.first_byte_timeout.unwrap_or(defaults.first_byte),
        idle: section.idle_timeout.unwrap_or(defaults.idle),
        total: section.total_timeout.unwrap_or(defaults.total),
    }
}
