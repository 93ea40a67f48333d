//! Layers, limits, and the problems of a configuration that is not valid.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use super::entries::{keys, of_file};
use super::load::ConfigFile;
use super::sections::Sections;
use super::{Config, ConfiguredProvider, Environment, InvalidConfig, Purpose, Setting};
use crate::domain::{DisconnectMode, LimitOptions, ResponseOptions};
use crate::provider::UpstreamLimits;

mod providers;
mod secrets;

const TEMPLATE: &str = include_str!("../../config.toml");

fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
    load_for(Purpose::Serve, file, variables)
}

fn load_for(purpose: Purpose, file: &str, variables: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
    let environment: Environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::from_layers(&ConfigFile { name: "config.toml", text: file }, &environment, purpose)
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
    let defaults = keys(&Sections::default().entries().unwrap());
    let (written, problems) = of_file("config.toml", TEMPLATE);
    assert_eq!(problems, []);
    let mut written = keys(&written);
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
    let expected = [
        "vault: only one of key_file, key_env and key_command may be set",
        "store: only one of url and url_file may be set",
        "providers.local: only one of api_key_env and api_key_file may be set",
    ];
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(&format!("{expected}: ")), "{told}");
    }
    assert_eq!(told.len(), expected.len(), "{told:?}");
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "[http]\nkeep_alive = \"3s\"\nbody_limit = 4000000\n[responses]\ndisconnect = \"continue\"";
    let config = load(file, &[("ANTIPHON_HTTP__BODY_LIMIT", "2000000"), ("OTHER", "x")]).unwrap();
    assert_eq!(config.http.keep_alive, Duration::from_secs(3));
    assert_eq!(config.http.body_limit, 2_000_000);
    assert_eq!(config.http.header_wait, Duration::from_secs(2));
    assert_eq!(config.responses.disconnect, DisconnectMode::Continue);
    assert!(matches!(config.providers.get("eliza"), Some(ConfiguredProvider::Eliza(_))));
}

#[test]
fn a_stream_is_never_silent_for_longer_than_clients_wait() {
    assert_eq!(load("[http]\nkeep_alive = \"30s\"", &[]).unwrap().http.keep_alive, Duration::from_secs(30));
    let told = problems("[http]\nkeep_alive = \"30001ms\"", &[]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("http.keep_alive = 30001ms: must be at most 30s"), "{told:?}");
}

#[test]
fn a_limit_on_the_events_of_providers_that_would_refuse_an_allowed_output_is_refused() {
    let set = |bytes: usize| format!("[limits]\nprovider_event_bytes = {bytes}");
    let limits = |bytes| load(&set(bytes), &[]).unwrap().limits;
    let limits_of = UpstreamLimits::least(&LimitOptions::default(), ResponseOptions::default().max_output_bytes);
    let least = limits_of.frame_bytes + limits_of.echo_bytes;
    assert_eq!([0, least, least + 1].map(|bytes| limits(bytes).provider_event_bytes), [0, least, least + 1]);
    for bytes in [1, least - 1] {
        let told = problems(&set(bytes), &[]);
        let expected = format!("limits.provider_event_bytes = {bytes}: must be 0 or at least {least}: ");
        assert!(told.len() == 1 && told[0].starts_with(&expected), "{told:?}");
    }
    let told = problems("[limits]\nprovider_event_values = 262143", &[]);
    let expected = "limits.provider_event_values = 262143: must be 0 or at least 262144: ";
    assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
    assert_eq!(load("[limits]\nprovider_event_values = 262144", &[]).unwrap().limits.provider_event_values, 262_144);
    let told = problems("[limits]\nprovider_items = 99\n[responses]\nmax_output_parts = 100", &[]);
    assert!(told[0].starts_with("limits.provider_items = 99: must be at least responses.max_output_parts"), "{told:?}");
    assert!(load("[limits]\nprovider_items = 100\n[responses]\nmax_output_parts = 100", &[]).is_ok());
}

#[test]
fn bodies_have_room_for_every_request_that_is_allowed() {
    let told = |file: &str| problems(file, &[]).join("; ");
    for (file, key, least) in [
        ("[http]\nbody_limit = 499999", "http.body_limit = 499999", "limits.input_bytes"),
        ("[limits]\ninput_bytes = \"9MiB\"", "http.body_limit", "limits.input_bytes"),
        ("[http]\nbody_budget_per_key = \"16MiB\"", "http.body_budget_per_key = 16MiB", "31172608"),
        ("[limits]\ninput_items = 100000", "http.body_budget_per_key", "424388608"),
        ("[http]\nbody_budget = \"31MiB\"", "http.body_budget = 31MiB", "body_budget_per_key"),
        ("[http]\nanswer_budget_per_key = \"13MiB\"", "http.answer_budget_per_key", "14680064"),
        ("[responses]\nmax_output_bytes = \"5MiB\"", "http.answer_budget_per_key", "39845888"),
        ("[http]\nanswer_budget = \"31MiB\"", "http.answer_budget = 31MiB", "answer_budget_per_key"),
    ] {
        let told = told(file);
        assert!(told.starts_with(key) && told.contains(&format!("must be at least {least}")), "{told}");
    }
    let wider = "[http]\nbody_limit = \"64MiB\"\nbody_budget_per_key = \"128MiB\"\nanswer_budget_per_key = \"70MiB\"\n[limits]\ninput_bytes = \"64MiB\"";
    assert!(load(wider, &[]).is_ok());
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
        "ANTIPHON_HTTP__BODY_LIMITS",
        "ANTIPHON_LISTEN",
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
    for line in [
        "store.sync = maybe: expected \"full\" or \"normal\" (config.toml line 9)",
        "store.max_connections = 1: must be at least 2 (config.toml line 8)",
        "ANTIPHON_LISTEN: there is no such option; did you mean ANTIPHON_SERVER__LISTEN?",
    ] {
        assert!(told.iter().any(|told| told == line), "{line} is not in {told:#?}");
    }
}

#[test]
fn an_unknown_key_is_told_with_the_one_that_was_probably_meant() {
    for (file, told) in [
        (
            "[server]\nlistn = 1",
            "server.listn: there is no such option; did you mean server.listen? (config.toml line 2)",
        ),
        (
            "[http]\n\nkeep-alive = 1",
            "http.keep-alive: there is no such option; did you mean http.keep_alive? (config.toml line 3)",
        ),
        (
            "[Server]\nlisten = 1",
            "Server.listen: there is no such option; did you mean server.listen? (config.toml line 2)",
        ),
        ("listen = 1", "listen: there is no such option; did you mean server.listen? (config.toml line 1)"),
        (
            "[server]\nkeep_alive = 1",
            "server.keep_alive: there is no such option; did you mean http.keep_alive? (config.toml line 2)",
        ),
        (
            "[log]\nlevel_of_all_that = 1",
            "log.level_of_all_that: there is no such option; there are filter, format, buffer_bytes (config.toml line 2)",
        ),
    ] {
        assert_eq!(problems(file, &[]), [told]);
    }
    for (name, meant) in [
        ("ANTIPHON_SERVER_LISTEN", "ANTIPHON_SERVER__LISTEN"),
        ("ANTIPHON_SERVER__LISTN", "ANTIPHON_SERVER__LISTEN"),
        ("ANTIPHON_BODY_LIMIT", "ANTIPHON_HTTP__BODY_LIMIT"),
        ("ANTIPHON_PROVIDERS__ELIZA__ENABLE", "ANTIPHON_PROVIDERS__ELIZA__ENABLED"),
    ] {
        let expected = format!("{name}: there is no such option; did you mean {meant}?");
        assert_eq!(problems("", &[(name, "canary")]), [expected]);
    }
    for name in ["ANTIPHON_", "ANTIPHON_SDK_PYTHON", "ANTIPHON_SERVER__"] {
        let told = problems("", &[(name, "canary")]);
        assert!(told[0].starts_with(&format!("{name}: there is no such option; there are ")), "{told:?}");
        assert!(!told[0].contains("canary"), "{told:?}");
    }
}

#[test]
fn a_file_is_held_to_its_types_and_a_variable_is_a_text_of_any() {
    for (file, told) in [
        ("[server]\nworkers = true", "server.workers = true: expected a whole number, 0 or more"),
        ("[server]\nworkers = 1.5", "server.workers = 1.5: expected a whole number, 0 or more"),
        ("[server]\nworkers = -1", "server.workers = -1: expected a whole number, 0 or more"),
        ("[server]\nworkers = \"2\"", "server.workers = 2: expected a whole number, 0 or more"),
        ("[server]\nworkers = [1]", "server.workers: expected a whole number, 0 or more"),
        ("[server]\nlisten = 8080", "server.listen = 8080: expected an address and a port, such as \"127.0.0.1:8080\""),
        ("[http]\nkeep_alive = 15", "http.keep_alive = 15: expected a duration"),
        ("[http]\nbody_limit = \"20 MB\"", "http.body_limit = 20 MB: expected a number of bytes"),
        ("[http]\nbody_limit = -1", "http.body_limit = -1: expected a number of bytes"),
        (
            "[http]\nbody_limit = 99999999999999999999",
            "http.body_limit = 99999999999999999999: expected a number of bytes",
        ),
        ("[log]\nformat = 1", "log.format = 1: expected a text in quotes"),
        ("[log]\nformat = \"jsn\"", "log.format = jsn: expected \"text\" or \"json\"; did you mean \"json\"?"),
        ("[log]\nfilter = \"a\\nb=c=d\"", "log.filter = a b=c=d: expected a level"),
        ("[providers.eliza]\nenabled = \"false\"", "providers.eliza.enabled = false: expected true or false"),
        ("server = 1", "server = 1: this is a section: its keys go below it"),
        ("[[server]]\nworkers = 1", "server: this is a section, in one pair of brackets"),
        ("[[providers.a]]\nkind = \"eliza\"", "providers.a: this is a section, in one pair of brackets"),
    ] {
        let all = problems(file, &[]);
        assert!(all[0].starts_with(told), "{told} is not {all:?}");
        assert!(all[0].contains(" (config.toml line "), "{all:?}");
    }
    let told = problems("", &[("ANTIPHON_SERVER__WORKERS", "")]);
    assert_eq!(
        told,
        ["server.workers: the variable is empty: unset it, or give it a value ($ANTIPHON_SERVER__WORKERS)"]
    );
    let variables = [("ANTIPHON_SERVER__WORKERS", "2"), ("ANTIPHON_PROVIDERS__ELIZA__ENABLED", "false")];
    let config = load("", &variables).unwrap();
    assert_eq!((config.server.workers, config.providers.len()), (2, 0));
}

#[test]
fn sizes_are_written_in_bytes_or_with_their_unit() {
    for (written, bytes) in [("4096", 4096), ("\"4096\"", 4096), ("\"64KiB\"", 65_536), ("\"2 MiB\"", 2_097_152)] {
        assert_eq!(
            load(&format!("[responses]\noutcome_cache = {written}"), &[]).unwrap().responses.outcome_cache,
            bytes
        );
    }
    for (written, bytes) in [("4096", 4096), ("1024B", 1024), ("20MiB", 20_971_520)] {
        assert_eq!(load("", &[("ANTIPHON_RESPONSES__OUTCOME_CACHE", written)]).unwrap().responses.outcome_cache, bytes);
    }
    for wrong in ["20mib", "20MB", "MiB", "1.5MiB", "-1", "99999999999999999999MiB", "18446744073709551615KiB"] {
        let told = problems("", &[("ANTIPHON_HTTP__BODY_LIMIT", wrong)]);
        assert!(told[0].starts_with(&format!("http.body_limit = {wrong}: expected a number of bytes")), "{told:?}");
    }
}

#[test]
fn every_mistake_in_the_form_of_a_file_is_told_with_its_line_and_without_a_quote() {
    for (file, lines) in [
        ("[server]\nlisten = \"canary\nworkers = 1", &[2][..]),
        ("[server]\nworkers = 1\nworkers = 2", &[3]),
        ("[store]\n\nurl = canary:canary@host", &[3]),
        ("sk-canary", &[1]),
    ] {
        let told = problems(file, &[]);
        let found: Vec<String> =
            lines.iter().map(|line| format!("config.toml line {line}: this is not TOML: ")).collect();
        assert_eq!(told.len(), found.len(), "{told:?}");
        assert!(told.iter().zip(&found).all(|(told, found)| told.starts_with(found)), "{told:?}");
        assert!(!told.concat().contains("canary"), "{told:?}");
    }
}

#[test]
fn beside_a_file_that_is_no_toml_only_what_does_not_depend_on_it_is_told() {
    let variables = [
        ("ANTIPHON_KEYS", "{}"),
        ("ANTIPHON_SERVER__WORKERS", "many"),
        ("ANTIPHON_PROVIDERS__LOCAL__BASE_URL", "http://h"),
        ("ANTIPHON_http__page", "false"),
    ];
    let told = problems("[vault]\nkey_env = \"ANTIPHON_KEYS\"\n[providers.local]\nkind = responses", &variables);
    let expected = [
        "config.toml line 4: this is not TOML: ",
        "server.workers = many: expected a whole number",
        "ANTIPHON_http__page: options are written in capitals here; did you mean ANTIPHON_HTTP__PAGE?",
    ];
    for expected in expected {
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected} is not in {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn a_variable_in_small_letters_sets_nothing_and_is_told_in_capitals() {
    let told = problems("", &[("ANTIPHON_server__listen", "127.0.0.1:1"), ("ANTIPHON_Config", "canary")]);
    assert_eq!(
        told,
        [
            "ANTIPHON_Config: options are written in capitals here; did you mean ANTIPHON_CONFIG?",
            "ANTIPHON_server__listen: options are written in capitals here; did you mean ANTIPHON_SERVER__LISTEN?",
        ]
    );
}

#[test]
fn a_misspelt_level_is_refused_wherever_it_is_written() {
    let expected = "there is no such level; did you mean \"info\"?";
    let told = problems("[log]\nfilter = \"inof\"", &[]);
    assert_eq!(told, [format!("log.filter = inof: {expected} (config.toml line 2)")]);
    let told = problems("", &[("ANTIPHON_LOG__FILTER", "")]);
    assert!(told.len() == 1 && told[0].starts_with("log.filter: is empty; expected a level"), "{told:?}");
}

#[test]
fn a_setting_tells_its_value_and_where_it_was_written() {
    let file = "[http]\nkeep_alive = \"20s\"\n[store]\nurl = \"postgres://u:canary@h/d\"\n[vault]\nkey_command = \"canary\"\n\
        [providers.a]\nkind = \"responses\"\nbase_url = \"http://h\"\nmodels = [\"m\", { id = \"n\" }]";
    let config =
        load(file, &[("ANTIPHON_HTTP__BODY_LIMIT", "2097152"), ("ANTIPHON_HTTP__KEEP_ALIVE", "25000ms")]).unwrap();
    let line =
        |setting: &Setting| format!("{}.{} = {} ({})", setting.section, setting.key, setting.value, setting.source);
    let told: Vec<String> = config.settings.iter().map(line).collect();
    for expected in [
        "http.body_limit = \"2MiB\" ($ANTIPHON_HTTP__BODY_LIMIT)",
        "http.keep_alive = \"25s\" ($ANTIPHON_HTTP__KEEP_ALIVE)",
        "http.header_wait = \"2s\" (default)",
        "store.url = \"[set]\" (config.toml line 4)",
        "vault.key_command = \"[set]\" (config.toml line 6)",
        "providers.a.models = [\"m\", { id = \"n\" }] (config.toml line 10)",
        "providers.a.total_timeout = \"30m\" (default)",
        "providers.a.reattach = false (default)",
        "providers.eliza.enabled = true (default)",
    ] {
        assert!(told.iter().any(|told| told == expected), "{expected} is not in {told:#?}");
    }
    assert!(!format!("{config:?}").contains("canary"), "{config:?}");
}

#[test]
fn the_databases_url_can_come_from_a_file_and_is_looked_at_there_too() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let section = format!("[store]\nurl_file = {:?}", file.path());
    let written = |url: &str| std::fs::write(file.path(), url).unwrap();
    written("postgres://u:canary@h/d?sslmode=require\n");
    let config = load(&section, &[]).unwrap();
    assert_eq!(config.store.options("data".as_ref()).url, "postgres://u:canary@h/d?sslmode=require");
    let both = problems(&section, &[("ANTIPHON_STORE__URL", "postgres://u:canary@h/d")]);
    let places = "url ($ANTIPHON_STORE__URL), url_file (config.toml line 2)";
    assert_eq!(both, [format!("store: only one of url and url_file may be set: {places}")]);
    for (url, told) in [
        ("mysql://u:canary@h/d", "expected a URL that begins with sqlite:, postgres:// or postgresql://"),
        ("postgres://u:can/ary@h/d", "this is not a URL (invalid port number); in a password"),
        ("postgres://u:1?canary@h/d", "after '?' there is an unknown parameter; known are sslmode,"),
        ("postgres://u:1#canary@h/d", "after '?' there is an unknown parameter; known are sslmode,"),
        ("postgres://h/d?pasword=canary", "after '?' there is an unknown parameter; known are sslmode,"),
    ] {
        written(url);
        for (told_of, variables) in
            [(problems(&section, &[]), "store.url_file"), (problems("", &[("ANTIPHON_STORE__URL", url)]), "store.url")]
        {
            assert!(told_of.len() == 1 && told_of[0].starts_with(&format!("{variables}: {told}")), "{told_of:?}");
            assert!(!told_of[0].contains("canary") && !told_of[0].contains("ary@"), "{told_of:?}");
        }
    }
    let misplaced = problems("[store]\nurl_file = \"postgres://u:canary@h/d\"", &[]);
    assert!(misplaced[0].starts_with("store.url_file: the file can't be read"), "{misplaced:?}");
    assert!(!misplaced[0].contains("canary"), "{misplaced:?}");
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
    assert!(!format!("{good:?} {:?}", good.store.options("data".as_ref())).contains("canary"));
}
