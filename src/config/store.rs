//! `[store]`: the database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{Problem, Rivals, secret_file};
use crate::domain::ResponseOptions;
use crate::domain::options::{OptionChecks, OptionError, duration, word};
use crate::store::{SqlOptions, Sync};

/// `[store]`: the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`; none for a file in the data directory.
    #[serde(skip_serializing)]
    pub url: Option<SecretString>,
    /// A file that only its owner may read and that holds the URL.
    pub url_file: Option<PathBuf>,
    /// What a commit survives. SQLite only: a PostgreSQL server has its own setting.
    #[serde(deserialize_with = "word::deserialize")]
    pub sync: StoreSync,
    /// The most connections at a time.
    pub max_connections: u32,
    /// How long a call may wait for a connection.
    #[serde(with = "duration")]
    pub acquire_timeout: Duration,
    /// How long a statement may take.
    #[serde(with = "duration")]
    pub statement_timeout: Duration,
    /// Calls that take longer than this are logged, without their values.
    #[serde(with = "duration")]
    pub slow_statement: Duration,
    /// How long a running response waits for a database that is away before its provider is stopped.
    #[serde(with = "duration")]
    pub outage_patience: Duration,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreSync {
    /// The loss of power.
    Full,
    /// The end of the process; the loss of power may take the last commits.
    Normal,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            sync: StoreSync::Full,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            slow_statement: Duration::from_millis(500),
            outage_patience: ResponseOptions::default().outage_patience,
        }
    }
}

static PLACES: Rivals = Rivals(&["url", "url_file"]);

impl StoreSection {
    pub(super) fn check(&self) -> Vec<OptionError> {
        let mut checks = OptionChecks::default();
        checks.range("max_connections", self.max_connections, 2..=1000);
        checks.into_errors()
    }

    /// Reads the URL from its file, if that is where it is. What is wrong with it goes to the problems.
    pub(super) fn resolve(mut self, problems: &mut Vec<Problem>) -> Self {
        if let Some(rivals) = Problem::of_rivals("store", &PLACES, &[self.url.is_some(), self.url_file.is_some()]) {
            problems.push(rivals);
            return self;
        }
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
        self
    }

    /// The options of the SQL adapter; without a URL, those of a file in the data directory.
    #[must_use]
    pub fn sql_options(&self, data_dir: &Path) -> SqlOptions {
        let url = match &self.url {
            Some(url) => url.expose_secret().to_owned(),
            None => sqlite_url(&data_dir.join("antiphon.db")),
        };
        SqlOptions {
            url,
            sync: match self.sync {
                StoreSync::Full => Sync::Full,
                StoreSync::Normal => Sync::Normal,
            },
            max_connections: self.max_connections,
            acquire_timeout: self.acquire_timeout,
            statement_timeout: self.statement_timeout,
            slow_statement: self.slow_statement,
        }
    }
}

impl StoreSection {
    /// Whether the URL itself has a password, as against one in a file of its own.
    #[must_use]
    pub fn url_has_password(&self) -> bool {
        let own = self.url.as_ref().filter(|_| self.url_file.is_none());
        own.and_then(|url| reqwest::Url::parse(url.expose_secret()).ok())
            .is_some_and(|url| url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password"))
    }

    /// Where the database is, without user and password.
    #[must_use]
    pub fn place(&self, data_dir: &Path) -> String {
        let url = self.sql_options(data_dir).url;
        let own = || format!("SQLite in {}", data_dir.join("antiphon.db").display());
        let Some(url) = self.url.as_ref().map(|_| url) else { return own() };
        match (url.strip_prefix("sqlite:"), reqwest::Url::parse(&url)) {
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

/// A path may hold what means something else in a URL.
fn sqlite_url(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}")
}

/// What sqlx knows to do with. It would log any other with its value, and a password that was not written as a URL has
/// it can end up there.
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

/// What is wrong with a URL, without a word of it.
fn check_url(url: &str) -> Result<(), String> {
    if url.starts_with("sqlite:") {
        return Ok(());
    }
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err("expected a URL that begins with sqlite:, postgres:// or postgresql://".to_owned());
    }
    const ESCAPES: &str = "in a password, characters other than letters and digits are written as %40 for @";
    let parsed = reqwest::Url::parse(url).map_err(|error| format!("this is no URL ({error}); {ESCAPES}"))?;
    let is_known = |key: &str| POSTGRES_PARAMETERS.contains(&key) || key.starts_with("options[");
    if parsed.fragment().is_some() || !parsed.query_pairs().all(|(key, _)| is_known(&key)) {
        let known = POSTGRES_PARAMETERS.join(", ");
        return Err(format!("after '?' there is what is none of {known}; {ESCAPES}"));
    }
    Ok(())
}
