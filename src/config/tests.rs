//! Layers, limits, and what people are told about a configuration that is not valid.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::layers::{keys, of_file};
use super::load::default_leaves;
use super::{Config, Disconnect, Environment, InvalidConfig, Provider};
use crate::domain::Encoding;

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
    for pair in lines.windows(2).filter(|pair| pair[1].contains(" = ") && !pair[1].starts_with('#')) {
        assert!(pair[0].starts_with("# ") || pair[0].starts_with('['), "no comment above {}", pair[1]);
    }
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
    assert!(matches!(config.providers.get("eliza"), Some(Provider::Eliza)));
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
        "log.filter",
    ];
    for key in expected {
        assert!(keys.contains(&key), "{key} is not in {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("http.body_limit = many: expected ")), "{told:#?}");
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

#[test]
fn a_provider_has_models_by_name_or_with_more_and_its_key_from_the_environment() {
    let file = "[providers.local]\nkind = \"chat_completions\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
        api_key_env = \"ANTIPHON_LOCAL_KEY\"\nidle_timeout = \"250ms\"\n\
        models = [\"a\", { id = \"b\", upstream_id = \"b:8b\", context_window = 8192, encoding = \"cl100k_base\" }]\n\
        [providers.eliza]\nenabled = false";
    let config = load(file, &[("ANTIPHON_LOCAL_KEY", "sk-1")]).unwrap();
    assert_eq!(config.providers.keys().collect::<Vec<_>>(), ["local"]);
    let Some(Provider::ChatCompletions(local)) = config.providers.get("local") else { unreachable!() };
    assert_eq!(local.api_key.as_ref().unwrap().expose_secret(), "sk-1");
    assert_eq!((local.idle_timeout, local.first_byte_timeout), (Duration::from_millis(250), Duration::from_secs(30)));
    assert_eq!((local.models[0].upstream_id.as_str(), local.models[0].encoding), ("a", Encoding::O200kBase));
    assert_eq!((local.models[1].upstream_id.as_str(), local.models[1].encoding), ("b:8b", Encoding::Cl100kBase));
}

#[test]
fn a_provider_can_come_from_the_environment_alone() {
    let config = load(
        "",
        &[
            ("ANTIPHON_PROVIDERS__LOCAL__KIND", "chat_completions"),
            ("ANTIPHON_PROVIDERS__LOCAL__BASE_URL", "http://127.0.0.1:1/v1"),
            ("ANTIPHON_PROVIDERS__LOCAL__MODELS", "a, b"),
            ("ANTIPHON_PROVIDERS__ELIZA__ENABLED", "false"),
        ],
    )
    .unwrap();
    let Some(Provider::ChatCompletions(local)) = config.providers.get("local") else { unreachable!() };
    assert_eq!(local.models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_provider_that_makes_no_sense_is_refused() {
    let cases = [
        ("[providers.a]", "providers.a.kind"),
        ("[providers.a]\nkind = \"chat_completions\"\nmodels = [\"m\"]", "providers.a.base_url"),
        (
            "[providers.a]\nkind = \"chat_completions\"\nbase_url = \"ftp://h\"\nmodels = [\"m\"]",
            "providers.a.base_url",
        ),
        ("[providers.a]\nkind = \"chat_completions\"\nbase_url = \"http://h\"", "providers.a.models"),
        (
            "[providers.a]\nkind = \"chat_completions\"\nbase_url = \"http://h\"\nmodels = [\"eliza\"]",
            "providers.eliza.models",
        ),
        ("[providers.eliza]\nmodels = [\"m\"]", "providers.eliza.models"),
        ("[providers.\"A b\"]\nkind = \"eliza\"\nenabled = true", "providers.A b"),
        ("[providers.a]\nkind = \"oracle\"", "providers.a.kind"),
    ];
    for (file, key) in cases {
        let told = problems(file, &[]);
        assert!(told.iter().any(|line| line.starts_with(key)), "{file}: {told:?}");
    }
    let told = problems(
        &cases[2].0.replace("ftp", "http").replace("[\"m\"]", "[\"m\"]\napi_key_env = \"K\""),
        &[("K", "a\nb")],
    );
    assert!(told[0].starts_with("providers.a.api_key_env = K: ") && !told[0].contains("a\nb"), "{told:?}");
}
