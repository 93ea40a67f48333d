//! `[store]`: the database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::problem::ExclusiveOptions;
use super::{Problem, secret_file};
use crate::domain::options::duration;
use crate::domain::{GroupOptions, ResponseOptions};
use crate::store::StoreOptions;

/// `[store]`: the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`; none for a file in the data directory.
    #[serde(skip_serializing)]
    pub url: Option<SecretString>,
    /// A file that only its owner may read and that holds the URL.
    pub url_file: Option<PathBuf>,
    /// How the database is used. Their own URL is not set.
    #[serde(rename = "..options")]
    pub options: StoreOptions,
    /// How much is committed at once. [`ResponseOptions::groups`] is what has effect.
    #[serde(rename = "..groups")]
    pub groups: GroupOptions,
    /// How long a running response waits for a database that is away before its provider is stopped.
    /// [`ResponseOptions::outage_patience`] is what has effect.
    #[serde(with = "duration")]
    pub outage_patience: Duration,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            options: StoreOptions::default(),
            groups: GroupOptions::default(),
            outage_patience: ResponseOptions::default().outage_patience,
        }
    }
}

static URL_OPTIONS: ExclusiveOptions = ExclusiveOptions(&["url", "url_file"]);

impl StoreSection {
    /// Reads the URL from its file, if that is where it is, and checks it.
    pub(super) fn read_url(&mut self) -> Vec<Problem> {
        let set = [self.url.is_some(), self.url_file.is_some()];
        if let Some(problem) = Problem::of_exclusive("store", &URL_OPTIONS, &set) {
            return vec![problem];
        }
        let mut problems = Vec::new();
        let key = match &self.url_file {
            Some(path) => {
                match secret_file::read(path) {
                    Ok(url) => self.url = Some(url),
                    Err(reason) => {
                        problems.push(Problem::new("store.url_file", Some(path.display().to_string()), reason));
                    }
                }
                "store.url_file"
            }
            None => "store.url",
        };
        let checked = self.url.as_ref().map_or(Ok(()), |url| check_url(url.expose_secret()));
        problems.extend(checked.err().map(|reason| Problem::new(key, None, reason)));
        problems
    }

    /// The options of the database; without a URL, those of a file in the data directory.
    #[must_use]
    pub fn options(&self, data_dir: &Path) -> StoreOptions {
        let url = match &self.url {
            Some(url) => url.expose_secret().to_owned(),
            None => sqlite_url(&data_dir.join("antiphon.db")),
        };
        StoreOptions { url, ..self.options.clone() }
    }

    /// Whether the URL itself has a password, as against one in a file of its own.
    #[must_use]
    pub fn url_has_password(&self) -> bool {
        let own = self.url.as_ref().filter(|_| self.url_file.is_none());
        own.and_then(|url| url::Url::parse(url.expose_secret()).ok())
            .is_some_and(|url| url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password"))
    }

    /// Where the database is, without user and password.
    #[must_use]
    pub fn place(&self, data_dir: &Path) -> String {
        let url = self.options(data_dir).url;
        let own = || format!("SQLite in {}", data_dir.join("antiphon.db").display());
        let Some(url) = self.url.as_ref().map(|_| url) else { return own() };
        match (url.strip_prefix("sqlite:"), url::Url::parse(&url)) {
            (Some(path), _) => {
                let path = path.split('?').next().unwrap_or_default();
                format!("SQLite in {}", path.strip_prefix("//").unwrap_or(path))
            }
            (None, Ok(url)) => {
                let host = url.host_str().unwrap_or("localhost");
                format!("PostgreSQL at {host}:{}{}", url.port().unwrap_or(5432), url.path())
            }
            (None, Err(_)) => "PostgreSQL".to_owned(),
        }
    }
}

/// The URL of a database in a file. The path may hold characters with another meaning in a URL.
fn sqlite_url(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}")
}

/// The parameters that sqlx knows. It would log any other with its value, which may be a part of a password that was not
/// escaped.
const POSTGRES_PARAMETERS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Says what is wrong with a URL, without a quote of it.
fn check_url(url: &str) -> Result<(), String> {
    if url.starts_with("sqlite:") {
        return Ok(());
    }
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err("expected a URL that begins with sqlite:, postgres:// or postgresql://".to_owned());
    }
    const ESCAPES: &str = "in a password, characters other than letters and digits are written as %40 for @";
    let parsed = url::Url::parse(url).map_err(|error| format!("this is not a URL ({error}); {ESCAPES}"))?;
    let is_known = |key: &str| POSTGRES_PARAMETERS.contains(&key) || key.starts_with("options[");
    if parsed.fragment().is_some() || !parsed.query_pairs().all(|(key, _)| is_known(&key)) {
        let known = POSTGRES_PARAMETERS.join(", ");
        return Err(format!("after '?' there is an unknown parameter; known are {known}; {ESCAPES}"));
    }
    Ok(())
}
