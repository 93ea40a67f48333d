//! The text that a server prints on standard output when it starts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde_json::json;

use crate::access::ApiKey;
use crate::config::{Config, ConfiguredProvider, ValueSource};

/// How many models are named; the others are counted.
const MOST_MODELS: usize = 8;

/// The facts about a server that has begun to listen.
#[derive(Debug)]
pub(super) struct Welcome {
    url: String,
    has_page: bool,
    options: String,
    data: String,
    database: String,
    models: Vec<String>,
    drain: u64,
}

impl Welcome {
    pub(super) fn new(config: &Config, data_dir: &Path, address: SocketAddr) -> Self {
        let data = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        Self {
            url: format!("http://{}", reachable(address)),
            has_page: config.http.page,
            options: options(config),
            database: config.store.place(&data),
            data: data.display().to_string(),
            models: models(config),
            drain: config.server.drain_timeout.as_secs(),
        }
    }

    /// For people.
    pub(super) fn text(&self, key: Option<&ApiKey>) -> String {
        let url = &self.url;
        let mut text = format!("Antiphon listens on {url}\n\n");
        for (name, value) in [
            ("Version", env!("CARGO_PKG_VERSION").to_owned()),
            ("Options", self.options.clone()),
            ("Data", self.data.clone()),
            ("Database", self.database.clone()),
            ("Models", self.named_models()),
            ("Page", if self.has_page { format!("{url}/, to talk to them in a browser") } else { "none".to_owned() }),
            ("To stop", format!("Ctrl-C or SIGTERM; running responses may finish for {} s", self.drain)),
        ] {
            text.push_str(&format!("  {name:10}{value}\n"));
        }
        if let Some(key) = key {
            text.push_str(&self.first_key(key));
        }
        text
    }

    /// For machines: an object a line.
    pub(super) fn json(&self, key: Option<&ApiKey>) -> String {
        let listening = json!({
            "event": "listening",
            "url": self.url,
            "page": self.has_page,
            "version": env!("CARGO_PKG_VERSION"),
            "options": self.options,
            "data": self.data,
            "database": self.database,
            "models": self.models,
            "drain_seconds": self.drain,
        });
        let key = key.map(|key| json!({ "event": "first_key", "api_key": key.expose() }));
        [Some(listening), key].into_iter().flatten().map(|line| format!("{line}\n")).collect()
    }

    fn named_models(&self) -> String {
        let named = self.models.iter().take(MOST_MODELS).cloned().collect::<Vec<_>>().join(", ");
        match self.models.len().saturating_sub(MOST_MODELS) {
            0 if named.is_empty() => "none: every provider is switched off".to_owned(),
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }

    fn first_key(&self, key: &ApiKey) -> String {
        let (url, key) = (&self.url, key.expose());
        let mut text = format!("\nYour API key, shown this once:\n\n  {key}\n");
        if let Some(model) = self.model_to_try() {
            let body = json!({ "model": model, "input": "I feel calm today.", "stream": true });
            text.push_str(&format!(
                "\nTry it:\n\n  curl -N {url}/v1/responses -H 'Authorization: Bearer {key}' \
                 -H 'Content-Type: application/json' -d '{body}'\n"
            ));
        }
        text
    }

    /// A model to try: the built-in one if it is there.
    fn model_to_try(&self) -> Option<&str> {
        let names = || self.models.iter().map(String::as_str).filter(|name| *name != "*");
        names().find(|name| *name == "eliza").or_else(|| names().next())
    }
}

fn models(config: &Config) -> Vec<String> {
    let of = |provider: &ConfiguredProvider| match provider {
        ConfiguredProvider::Eliza(_) => vec!["eliza".to_owned()],
        ConfiguredProvider::Upstream(upstream) => upstream.models.iter().map(|model| model.id.clone()).collect(),
    };
    config.providers.values().flat_map(of).collect()
}

/// Where the options come from that are not defaults.
fn options(config: &Config) -> String {
    let is_variable = |source: &ValueSource| matches!(source, ValueSource::Variable(_));
    let variables = config.settings.iter().filter(|setting| is_variable(&setting.source)).count();
    let file = config.file.as_ref().map(|file| file.display().to_string());
    match (file, variables) {
        (None, 0) => "the defaults: there is no config.toml in this directory".to_owned(),
        (Some(file), 0) => file,
        (file, 1) => format!("{}1 environment variable", before(file)),
        (file, count) => format!("{}{count} environment variables", before(file)),
    }
}

fn before(file: Option<String>) -> String {
    file.map_or_else(String::new, |file| format!("{file}, "))
}

/// An address that a client on this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}
