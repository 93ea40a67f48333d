//! `[log]`: what is logged, and how it looks.

use garde::Validate;
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::Targets;

use super::word;

/// `[log]`: what is logged, and how it looks. No setting makes content appear in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct LogSection {
    /// A level, or levels by target: `info`, `warn,antiphon=debug`.
    #[garde(custom(parses))]
    pub filter: String,
    /// Lines for people or for machines.
    #[serde(deserialize_with = "word::deserialize")]
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// A line that people read.
    Text,
    /// A JSON object.
    Json,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

fn parses(filter: &str, _: &()) -> garde::Result {
    let expected = "expected a level (error, warn, info, debug, trace, off), or levels by target";
    filter.parse::<Targets>().map(drop).map_err(|_| garde::Error::new(expected))
}
