//! All sections of a configuration, as they are written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entries::{self, ConfigEntry};
use super::layout::{ANY_NAME, Layout};
use super::providers::{self, ProviderKind, ProviderSection};
use super::{Environment, LogSection, Problem, StoreSection, ValueSource, VaultSection};
use crate::domain::options::{OptionChecks, OptionError};
use crate::domain::{LimitOptions, RequestShape, ResponseOptions};
use crate::http::{HttpOptions, ServerOptions};
use crate::provider::UpstreamLimits;

/// All sections of a configuration, as they are written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sections {
    pub(super) server: ServerOptions,
    pub(super) http: HttpOptions,
    pub(super) store: StoreSection,
    pub(super) vault: VaultSection,
    pub(super) responses: ResponseOptions,
    pub(super) limits: LimitOptions,
    pub(super) log: LogSection,
    pub(super) providers: BTreeMap<String, ProviderSection>,
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

impl Sections {
    /// Where each option is in these structs.
    pub(super) fn layout() -> Layout<Self> {
        let any = (ANY_NAME.to_owned(), ProviderSection::default());
        Layout::of(&Self { providers: BTreeMap::from([any]), ..Self::default() })
    }

    /// The options of these sections with their values; without secrets and models, and of each provider only those
    /// that have an effect on its kind.
    pub(super) fn entries(&self) -> Result<Vec<ConfigEntry>, Problem> {
        let mut entries = entries::of_struct(self, &ValueSource::Default)?;
        entries.retain(|entry| match entry.path() {
            [first, name, option] if first == "providers" => {
                let kind = self.providers.get(name).and_then(|provider| provider.kind);
                kind.is_none_or(|kind: ProviderKind| kind.has(option))
            }
            _ => true,
        });
        Ok(entries)
    }

    /// What is wrong with single values.
    pub(super) fn check(&self, entries: &[ConfigEntry]) -> Vec<Problem> {
        let sections: [(&str, Vec<OptionError>); 9] = [
            ("server", self.server.check()),
            ("http", self.http.check()),
            ("http", self.check_bodies()),
            ("store", self.store.options.check()),
            ("store", self.store.groups.check()),
            ("responses", self.responses.check()),
            ("limits", self.limits.check()),
            ("limits", self.check_events_of_providers()),
            ("log", self.log.check()),
        ];
        let problem = |section: &str, OptionError { key, reason }: OptionError| {
            let key = format!("{section}.{key}");
            let value = entries.iter().rev().find(|entry| entry.key() == key).map(ConfigEntry::text);
            Problem::new(key, value, reason)
        };
        let of_section = |(section, errors): (&'static str, Vec<OptionError>)| {
            errors.into_iter().map(move |error| problem(section, error)).collect::<Vec<_>>()
        };
        sections.into_iter().flat_map(of_section).collect()
    }

    /// Refuses limits on bodies that would refuse a request that is allowed.
    fn check_bodies(&self) -> Vec<OptionError> {
        let mut checks = OptionChecks::default();
        checks.require(
            "body_limit",
            self.http.body_limit >= self.limits.input_bytes,
            || "must be at least limits.input_bytes: an input of that size comes in a body",
        );
        let shape = RequestShape { items: self.limits.input_items, values: self.limits.request_values };
        let least = self.http.body_limit + shape.memory();
        checks.require("body_budget_per_key", self.http.body_budget_per_key >= least, || {
            format!("must be at least {least}: so many can one request take (body_limit, input_items, request_values)")
        });
        // A letter of an output may be an escape of six; what a response says of its request came in a body.
        let least = self.http.body_limit + 6 * self.responses.max_output_bytes;
        checks.require("answer_budget_per_key", self.http.answer_budget_per_key >= least, || {
            format!("must be at least {least}: so many can one answer take (body_limit, responses.max_output_bytes)")
        });
        checks.into_errors()
    }

    /// Refuses a limit on the events of providers that would refuse an output that is allowed.
    fn check_events_of_providers(&self) -> Vec<OptionError> {
        let least = UpstreamLimits::least(&self.limits, self.responses.max_output_bytes);
        let mut checks = OptionChecks::default();
        for (option, set, least) in [
            ("provider_event_bytes", self.limits.provider_event_bytes, least.frame_bytes + least.echo_bytes),
            ("provider_event_values", self.limits.provider_event_values, least.event_values),
        ] {
            checks.require(option, set == 0 || set >= least, || {
                format!("must be 0 or at least {least}: so many can an output of responses.max_output_bytes take")
            });
        }
        checks.require(
            "provider_items",
            usize::try_from(self.limits.provider_items).is_ok_and(|items| items >= self.responses.max_output_parts),
            || "must be at least responses.max_output_parts: one answer of a provider may have all of them",
        );
        checks.into_errors()
    }

    /// The environment variables that these sections name as holders of secrets. Their names may begin with
    /// `ANTIPHON_` without being options.
    pub(super) fn secret_variables(self) -> impl Iterator<Item = String> {
        let of_providers = self.providers.into_values().filter_map(|provider| provider.api_key_env);
        self.vault.key_env.into_iter().chain(of_providers)
    }

    /// Copies the options whose struct is another one than that of their section.
    pub(super) fn share_options(&mut self) {
        self.http.body_timeout = self.server.body_timeout;
        self.responses.outage_patience = self.store.outage_patience;
        self.responses.groups = self.store.groups;
        self.responses.client_stall_timeout = self.http.client_stall_timeout;
    }

    /// Checks the secrets that do not belong to a provider, and reads the database's URL.
    pub(super) fn locate_secrets(&mut self, environment: &Environment) -> Vec<Problem> {
        let mut problems = self.vault.check(environment);
        problems.extend(self.store.read_url());
        problems
    }
}
