//! `[log]`: what is logged, and how it looks.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::suggestion::closest;
use crate::domain::options::{OptionChecks, OptionError, size, word};

/// `[log]`: what is logged, and how it looks. No setting makes content appear in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// A level, or levels by target: `info`, `warn,antiphon=debug`.
    pub filter: String,
    /// Lines for people or for machines.
    #[serde(deserialize_with = "word::deserialize")]
    pub format: LogFormat,
    /// The most bytes of lines that wait for a slow reader of standard error. What has no room is dropped and counted.
    #[serde(with = "size")]
    pub buffer_bytes: usize,
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

impl LogSection {
    pub(super) fn check(&self) -> Vec<OptionError> {
        let mut checks = OptionChecks::default();
        checks.result("filter", check(&self.filter));
        checks.range("buffer_bytes", self.buffer_bytes, 4 * 1024..=1024 * 1024 * 1024);
        checks.into_errors()
    }
}

impl Default for LogSection {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text, buffer_bytes: 1024 * 1024 }
    }
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

const EXPECTED: &str = "expected a level (error, warn, info, debug, trace, off), or levels by target";

/// Says what is wrong with a filter. The library would take an unknown word for the only target that is logged, and an
/// empty filter for `error`.
fn check(filter: &str) -> Result<(), String> {
    filter.parse::<Targets>().map_err(|_| EXPECTED.to_owned())?;
    if filter.is_empty() {
        return Err(format!("is empty; {EXPECTED}"));
    }
    filter.split(',').try_for_each(check_directive)
}

fn check_directive(directive: &str) -> Result<(), String> {
    if directive.is_empty() || directive.ends_with('=') || directive.contains(char::is_whitespace) {
        return Err(format!("{EXPECTED}, with commas and without blanks between them"));
    }
    let is_own_target = directive == "antiphon" || directive.starts_with("antiphon::");
    if directive.contains('=') || is_own_target || directive.parse::<LevelFilter>().is_ok() {
        return Ok(());
    }
    let word = directive.to_lowercase();
    let longer = || LEVELS.into_iter().find(|level| word.starts_with(level));
    Err(match closest(&word, LEVELS).or_else(longer) {
        Some(level) => format!("there is no such level; did you mean \"{level}\"?"),
        None => format!("{EXPECTED}; a target has its level behind it, as in \"antiphon=debug\""),
    })
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_filter_is_of_levels_and_of_targets_with_their_levels() {
        for good in
            ["info", "OFF", "warn,antiphon=debug", "antiphon", "error,antiphon::http", "sqlx=off,info", "a::b=trace"]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn an_unknown_level_is_refused_with_a_suggestion() {
        for (wrong, meant) in
            [("inof", "info"), ("warning", "warn"), ("antiphon=debug,Errors", "error"), ("dbug", "debug")]
        {
            let told = check(wrong).err().unwrap_or_default();
            assert_eq!(told, format!("there is no such level; did you mean \"{meant}\"?"), "{wrong}");
        }
        for (wrong, told) in [
            ("", "is empty; expected a level"),
            ("verbose", "off), or levels by target; a target has its level behind it"),
            ("info,", "with commas and without blanks"),
            ("info, antiphon=debug", "with commas and without blanks"),
            ("antiphon=", "with commas and without blanks"),
            ("antiphon=loud", "expected a level"),
        ] {
            assert!(check(wrong).is_err_and(|reason| reason.contains(told)), "{wrong}: {:?}", check(wrong));
        }
    }
}
