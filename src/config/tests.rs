//! Layers, limits, and what people are told about a configuration that is not valid.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use super::layers::{keys, of_file};
use super::load::default_leaves;
use super::{Config, Disconnect, Environment, InvalidConfig, Provider};

mod providers;

const TEMPLATE: &str = include_str!("../../config.toml");

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
    let environment: Environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::from_layers("config.toml", file, &environment)
}

fn problems(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    load(file, variables).unwrap_err().problems.iter().map(ToString::to_string).collect()
}

/// The file with its commented options switched on.
fn uncommented() -> String {
    let is_option = |line: &str| line.contains(" = ") && !line.contains("...") || line.starts_with('[');
    let lines = TEMPLATE.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_option(rest)).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_file_has_every_option_at_its_default_with_a_line_about_it() {
    let defaults = keys(&default_leaves().unwrap());
    let mut written = keys(&of_file("config.toml", TEMPLATE).unwrap());
    written.retain(|(key, _)| key != "vault");
    assert_eq!(written, defaults);
    let lines: Vec<&str> = TEMPLATE.lines().collect();
    let is_option = |line: &str| line.strip_prefix("# ").unwrap_or(line).split_once(" = ").is_some_and(is_key);
    for pair in lines.windows(2).filter(|pair| is_option(pair[1])) {
        assert!(pair[0].starts_with("# ") && !is_option(pair[0]), "no comment above {}", pair[1]);
    }
}

fn is_key((key, _): (&str, &str)) -> bool {
    key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn the_options_that_are_commented_out_are_real_ones() {
    let told = problems(&uncommented(), &[("LOCAL_API_KEY", "sk-1")]);
    assert_eq!(told, ["vault: only one of key_file, key_env and key_command may be set"]);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "[http]\nkeep_alive = \"3s\"\nbody_limit = 4096\n[responses]\ndisconnect = \"continue\"";
    let config = load(file, &[("ANTIPHON_HTTP__BODY_LIMIT", "2048"), ("OTHER", "x")]).unwrap();
    assert_eq!(config.http.keep_alive, Duration::from_secs(3));
    assert_eq!(config.http.body_limit, 2048);
    assert_eq!(config.http.header_wait, Duration::from_secs(2));
    assert_eq!(config.responses.disconnect, Disconnect::Continue);
    assert!(matches!(config.providers.get("eliza"), Some(Provider::Eliza(_))));
}

#[test]
fn an_empty_section_changes_nothing() {
    let config = load("[server]\n[providers.eliza]\n[vault]", &[("ANTIPHON_SERVER__WORKERS", "2")]).unwrap();
    assert_eq!(config.server.workers, 2);
    assert!(config.providers.contains_key("eliza"));
}

#[test]
fn every_problem_of_file_and_environment_is_told_at_once() {
    let file = "[server]\nlisten = \"nowhere\"\nport = 80\n[http]\nkeep_alive = \"0s\"\nheader_wait = \"1 hour\"\n\
        [store]\nmax_connections = 1\nsync = \"maybe\"\n[cache]\nsize = 1";
    let variables = [
        ("ANTIPHON_HTTP__BODY_LIMIT", "many"),
        ("ANTIPHON_HTTP__BODY_LIMITS", "1"),
        ("ANTIPHON_LISTEN", "x"),
        ("ANTIPHON_LOG__FILTER", "loud=yes=no"),
        ("ANTIPHON_RESPONSES__HANG_AFTER", "1s"),
        ("ANTIPHON_RESPONSES__LEASE", "2999ms"),
        ("ANTIPHON_RESPONSES__BACKGROUND_CONCURRENCY", "0"),
        ("ANTIPHON_RESPONSES__BACKGROUND_CONCURRENCY_PER_USER", "0"),
        ("ANTIPHON_RESPONSES__BACKGROUND_QUEUE", "0"),
    ];
    let told = problems(file, &variables);
    let keys: Vec<&str> = told.iter().map(|line| line.split([' ', ':']).next().unwrap()).collect();
    let expected = [
        "cache.size",
        "http.header_wait",
        "http.keep_alive",
        "server.listen",
        "server.port",
        "store.sync",
        "http.body_limit",
        "http.body_limits",
        "listen",
        "store.max_connections",
        "responses.hang_after",
        "responses.lease",
        "responses.background_concurrency",
        "responses.background_concurrency_per_user",
        "responses.background_queue",
        "log.filter",
    ];
    for key in expected {
        assert!(keys.contains(&key), "{key} is not in {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("http.body_limit = many: expected ")), "{told:#?}");
    let words = "store.sync = maybe: unknown variant `maybe`, expected `full` or `normal`";
    assert!(told.iter().any(|line| line == words), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("store.max_connections = 1: ")), "{told:#?}");
}

#[test]
fn no_secret_is_ever_quoted() {
    let file = "[store]\nurl = \"mysql://root:canary@host/db\"\n[vault]\nkey_command = [\"canary\"]\nkey_env = \"canary\"\n\
        [providers.a]\nkind = \"chat_completions\"\nmodels = [\"m\"]\napi_key = \"canary\"\napi_key_env = \"sk-canary\"\n\
        base_url = \"http://user:canary@host\"";
    let error = load(file, &[]).unwrap_err();
    assert!(error.problems.len() >= 5, "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    let broken = load("[store]\nurl = \"canary", &[]).unwrap_err();
    assert!(!format!("{broken} {broken:?}").contains("canary"), "{broken}");
    let good = load("[store]\nurl = \"postgres://root:canary@host/db\"", &[]).unwrap();
    assert!(!format!("{good:?} {:?}", good.store.sql_options("data".as_ref())).contains("canary"));
}
