//! Providers and their models.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::{load, problems, uncommented};
use crate::actors::ProviderOptions;
use crate::config::{Config, ConfiguredProvider, ModelSection, ProviderKind, UpstreamProvider};
use crate::domain::{Encoding, RetryPolicy, Timeouts};
use crate::provider::{GateLimits, OutputLimitField, ReasoningField, SystemMessages, ThinkingForm};

/// A provider `a` with these lines, beside what it needs.
fn provider(lines: &str) -> String {
    format!("[providers.a]\nkind = \"chat_completions\"\nbase_url = \"http://h/v1\"\n{lines}\n")
}

fn upstream<'a>(config: &'a Config, name: &str) -> &'a UpstreamProvider {
    match config.providers.get(name) {
        Some(ConfiguredProvider::Upstream(upstream)) => upstream,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_provider_has_models_by_name_or_with_more_and_its_key_from_the_environment() {
    let file = "[providers.local]\nkind = \"chat_completions\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
        api_key_env = \"ANTIPHON_LOCAL_KEY\"\nidle_timeout = \"250ms\"\n\
        models = [\"a\", { id = \"b\", upstream_id = \"b:8b\", context_window = 8192, encoding = \"cl100k_base\", \
        max_output_tokens = 7, max_output_tokens_cap = 9, total_timeout = \"1h\", connect_timeout = \"1s\", fallback = [\"a\"] }]\n\
        [providers.eliza]\nenabled = false";
    let config = load(file, &[("ANTIPHON_LOCAL_KEY", "sk-1")]).unwrap();
    assert_eq!(config.providers.keys().collect::<Vec<_>>(), ["local"]);
    let local = upstream(&config, "local");
    assert_eq!(local.api_key.as_ref().unwrap().expose_secret(), "sk-1");
    let timeouts = Timeouts { idle: Duration::from_millis(250), ..Timeouts::default() };
    assert_eq!(local.section.timeouts, timeouts);
    let b = ModelSection {
        id: "b".to_owned(),
        upstream_id: Some("b:8b".to_owned()),
        context_window: Some(8192),
        encoding: Encoding::Cl100kBase,
        max_output_tokens: Some(7),
        max_output_tokens_cap: Some(9),
        timeouts: Timeouts { connect: Duration::from_secs(1), total: Duration::from_hours(1), ..timeouts },
        fallback: vec!["a".to_owned()],
    };
    assert_eq!(local.models, [ModelSection::named("a", timeouts), b]);
}

#[test]
fn a_key_can_come_from_a_file_that_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str, text: &[u8], mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        provider(&format!("models = [\"m\"]\napi_key_file = {path:?}"))
    };
    for text in ["sk-1", "sk-1\n", "sk-1\r\n"] {
        let config = load(&key("good", text.as_bytes(), 0o600), &[]).unwrap();
        assert_eq!(upstream(&config, "a").api_key.as_ref().unwrap().expose_secret(), "sk-1");
        assert!(!format!("{config:?}").contains("sk-1"));
    }
    for (name, text, mode, told) in [
        ("open", &b"canary"[..], 0o640, "the file has mode 0640; only its owner may have access (chmod 600)"),
        ("empty", b"\n", 0o600, "the file is empty"),
        ("lines", b"canary\ncanary\n", 0o600, "the file holds no key: one has visible ASCII characters"),
        ("bytes", b"canary\xff", 0o600, "the file can't be read: stream did not contain valid UTF-8"),
        ("long", &[b'c'; 65_537], 0o600, "the file has more than 65536 bytes"),
    ] {
        let problems = problems(&key(name, text, mode), &[]);
        let expected = format!("providers.a.api_key_file = {}: {told}", folder.path().join(name).display());
        assert!(problems.len() == 1 && problems[0].starts_with(&expected), "{problems:?}");
        assert!(!problems[0].contains("canary") && !problems[0].contains("cccc"), "{problems:?}");
    }
    let gone = provider("models = [\"m\"]\napi_key_file = \"/gone\"");
    assert!(problems(&gone, &[])[0].starts_with("providers.a.api_key_file = /gone: the file can't be read: No such"));
    let both = problems(&format!("{gone}api_key_env = \"K\""), &[("K", "sk-1")]);
    let places = "api_key_env (config.toml line 6), api_key_file (config.toml line 5)";
    assert_eq!(both, [format!("providers.a: only one of api_key_env and api_key_file may be set: {places}")]);
}

#[test]
fn a_provider_can_come_from_the_environment_alone() {
    let config = load(
        "",
        &[
            ("ANTIPHON_PROVIDERS__LOCAL__KIND", "chat_completions"),
            ("ANTIPHON_PROVIDERS__LOCAL__BASE_URL", "http://127.0.0.1:1/v1"),
            ("ANTIPHON_PROVIDERS__LOCAL__MODELS", "a, b"),
            ("ANTIPHON_PROVIDERS__LOCAL__MAX_CONCURRENT_PER_KEY", "3"),
            ("ANTIPHON_PROVIDERS__LOCAL__TOTAL_TIMEOUT", "5s"),
            ("ANTIPHON_PROVIDERS__LOCAL__OUTPUT_LIMIT_FIELD", "max_tokens"),
            ("ANTIPHON_PROVIDERS__LOCAL__SYSTEM_MESSAGES", "in_place"),
            ("ANTIPHON_PROVIDERS__LOCAL__REASONING_FIELD", "reasoning"),
            ("ANTIPHON_PROVIDERS__LOCAL__MISSING_THOUGHT_SIGNATURE", "skip"),
            ("ANTIPHON_PROVIDERS__ELIZA__ENABLED", "false"),
        ],
    )
    .unwrap();
    let local = upstream(&config, "local");
    assert_eq!(local.models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(local.section.options.gate.max_concurrent_per_key, NonZeroUsize::new(3));
    assert_eq!(local.section.timeouts.total, Duration::from_secs(5));
    let (kind, field) = (local.kind, local.section.output_limit_field);
    assert_eq!((kind, field), (ProviderKind::ChatCompletions, OutputLimitField::MaxTokens));
    let told = (local.section.system_messages, local.section.reasoning_field);
    assert_eq!(told, (SystemMessages::InPlace, ReasoningField::Reasoning));
    assert_eq!(local.section.missing_thought_signature.as_deref(), Some("skip"));
}

#[test]
fn the_file_tells_the_defaults_of_a_provider() {
    let told = uncommented();
    let (_, told) = told.split_once("[providers.local]").unwrap();
    // Only one of the places of a key can be used.
    let told: String = told.split_inclusive('\n').filter(|line| !line.starts_with("api_key_file")).collect();
    let told = load(&format!("[providers.local]{told}"), &[("LOCAL_API_KEY", "sk-1")]).unwrap();
    let told = upstream(&told, "local");
    let bare = load(&provider("models = [\"m\"]"), &[]).unwrap();
    let bare = upstream(&bare, "a");
    let (told, bare) = (&told.section, &bare.section);
    assert_eq!((told.kind, told.timeouts), (bare.kind, bare.timeouts));
    assert_eq!((told.output_limit_field, told.thinking), (bare.output_limit_field, bare.thinking));
    assert_eq!((told.system_messages, told.reasoning_field), (bare.system_messages, bare.reasoning_field));
    assert_eq!((told.asks_for_usage, told.passes_hints), (bare.asks_for_usage, bare.passes_hints));
    let gate = GateLimits { max_concurrent_per_key: NonZeroUsize::new(64), ..bare.options.gate };
    assert_eq!(told.options, ProviderOptions { gate, ..bare.options });
    assert_eq!(bare.options, ProviderOptions::default());
    let eliza = load("", &[]).unwrap().providers.remove("eliza").unwrap();
    assert_eq!(eliza.options(), bare.options);
}

/// The keys that there could have been instead of an unknown one.
fn keys(file: &str) -> Vec<String> {
    let told = problems(file, &[]).concat();
    let (_, known) = told.split_once("there is no such option; there are ").unwrap();
    known.split(" (").next().unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn the_file_has_every_option_of_a_provider_and_of_a_model() {
    let of_provider = keys(&provider("models = [\"m\"]\nnonsense = 1"));
    assert!(of_provider.len() > 10 && of_provider.iter().any(|key| key == "max_retries"), "{of_provider:?}");
    for key in of_provider {
        assert!(super::TEMPLATE.contains(&format!("\n# {key} = ")), "{key}");
    }
    let of_model = keys(&provider("models = [{ id = \"m\", nonsense = 1 }]"));
    assert!(of_model.len() > 5 && of_model.iter().any(|key| key == "fallback"), "{of_model:?}");
    let models = super::TEMPLATE.lines().find(|line| line.starts_with("# models = ")).unwrap();
    for key in of_model {
        assert!(models.contains(&format!(" {key} = ")), "{key}");
    }
}

#[test]
fn a_provider_that_makes_no_sense_is_refused() {
    let cases = [
        ("[providers.a]", "providers.a.kind: is missing"),
        ("[providers.a]\nkind = \"chat_completions\"\nmodels = [\"m\"]", "providers.a.base_url: is missing"),
        (&provider("models = [\"m\"]").replace("http:", "ftp:"), "providers.a.base_url: expected"),
        (&provider("models = [\"m\"]").replace("h/v1", "h/v1?key=canary"), "providers.a.base_url: expected"),
        (&provider(""), "providers.a.models: expected at least one model"),
        (&provider("models = [\"eliza\"]"), "providers.a.models[0] = eliza: providers.eliza has a model of that name"),
        (&provider("models = [\"m\", \"m\"]"), "providers.a.models[1] = m: providers.a has a model of that name"),
        ("[providers.eliza]\nmodels = [\"m\"]", "providers.eliza.models: has no effect"),
        (
            "[providers.a]\nkind = \"responses\"\noutput_limit_field = \"max_tokens\"",
            "providers.a.output_limit_field: has no effect",
        ),
        (
            "[providers.a]\nkind = \"anthropic\"\noutput_limit_field = \"max_tokens\"",
            "providers.a.output_limit_field: has no effect",
        ),
        (
            "[providers.a]\nkind = \"responses\"\nsystem_messages = \"in_place\"",
            "providers.a.system_messages: has no effect",
        ),
        (&provider("models = [\"m\"]\nthinking = \"budget\""), "providers.a.thinking: has no effect"),
        (&provider("models = [\"m\"]\nreattach = false"), "providers.a.reattach: has no effect"),
        ("[providers.a]\nkind = \"anthropic\"\nreattach = true", "providers.a.reattach: has no effect"),
        ("[providers.eliza]\nreattach = true", "providers.eliza.reattach: has no effect"),
        ("[providers.eliza]\nmax_retries = 1", "providers.eliza.max_retries: has no effect"),
        ("[providers.b]\nkind = \"eliza\"", "providers.eliza.kind: providers.b is of the kind"),
        ("[providers.\"A b\"]\nkind = \"eliza\"\nenabled = true", "providers.A b: a provider's name has"),
    ];
    for (file, expected) in cases {
        let told = problems(file, &[]);
        assert!(told.iter().any(|line| line.starts_with(expected)), "{file}: {told:?}");
        assert!(!told.concat().contains("canary"));
    }
    let told = problems("[providers.a]\nkind = \"oracle\"\nbase_url = \"http://h\"\nmodels = [\"m\"]", &[]);
    assert_eq!(told.len(), 1, "what is not valid is not missing too: {told:?}");
    assert!(told[0].starts_with("providers.a.kind = oracle: ") && told[0].contains("\"chat_completions\""), "{told:?}");
    let told = problems(&provider("models = [\"m\"]\napi_key_env = \"K\""), &[("K", "a\nb")]);
    assert!(told[0].starts_with("providers.a.api_key_env = K: ") && !told[0].contains("a\nb"), "{told:?}");
}

#[test]
fn every_limit_and_timeout_of_a_provider_has_its_range() {
    for (line, expected) in [
        ("max_concurrent = 0", "max_concurrent = 0: expected a whole number, 1 or more"),
        ("max_concurrent = 100001", "max_concurrent = 100001: must be at most 100000"),
        ("max_concurrent = -1", "max_concurrent = -1: "),
        ("max_queue = 1000001", "max_queue = 1000001: must be at most 1000000"),
        ("max_concurrent_per_key = 0", "max_concurrent_per_key = 0: expected a whole number, 1 or more"),
        ("max_retries = 11", "max_retries = 11: must be at most 10"),
        ("connect_timeout = \"0s\"", "connect_timeout = 0s: expected a duration"),
        ("first_byte_timeout = \"0ms\"", "first_byte_timeout = 0ms: expected a duration"),
        ("idle_timeout = \"25h\"", "idle_timeout = 25h: expected a duration"),
        ("total_timeout = \"0m\"", "total_timeout = 0m: expected a duration"),
        ("queue_timeout = 30", "queue_timeout = 30: expected a duration"),
        ("output_limit_field = \"tokens\"", "output_limit_field = tokens: "),
        ("system_messages = \"last\"", "system_messages = last: "),
        ("reasoning_field = \"thoughts\"", "reasoning_field = thoughts: "),
        ("retries = 2", "retries: there is no such option; did you mean providers.a.max_retries?"),
    ] {
        let told = problems(&provider(&format!("models = [\"m\"]\n{line}")), &[]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("providers.a.{expected}")), "{told:?}");
    }
    let file = provider("models = [\"m\"]\nmax_concurrent = 1\nmax_queue = 2\nmax_retries = 0\nqueue_timeout = \"1s\"");
    let config = load(&file, &[]).unwrap();
    let options = ProviderOptions {
        gate: GateLimits { max_concurrent: NonZeroUsize::MIN, max_queue: 2, max_concurrent_per_key: None },
        queue_timeout: Duration::from_secs(1),
        retry: RetryPolicy { max_retries: 0, ..RetryPolicy::default() },
        ..ProviderOptions::default()
    };
    assert_eq!(upstream(&config, "a").section.options, options);
    let eliza = load("[providers.eliza]\nmax_concurrent = 1\nmax_queue = 2", &[]).unwrap().providers.remove("eliza");
    let gate = eliza.unwrap().options().gate;
    assert_eq!((gate.max_concurrent, gate.max_queue), (NonZeroUsize::MIN, 2));
}

#[test]
fn every_problem_of_every_model_is_told_at_once() {
    let models = "models = [\"good\", { id = \"b\", context_window = 0, max_output_tokens = 0, encoding = \"gpt2\", \
        idle_timeout = \"0s\", windw = 5, fallback = [\"none\", \"good\", \"good\", \"b\", \"*\", \"eliza\"] }, \
        { upstream_id = \"x\" }, 5, { id = \"*\", upstream_id = \"x\", total_timeout = 1 }, \"\"]";
    let told = problems(&provider(models), &[]);
    let expected = [
        "[1].encoding = gpt2: expected \"o200k_base\" or",
        "[1].idle_timeout = 0s: expected a duration",
        "[1].windw: there is no such option",
        "[1].context_window = 0: expected a number above 0",
        "[1].max_output_tokens = 0: expected a number between 1 and 1000000000",
        "[2].id: expected the model's name",
        "[3] = 5: expected a model's name, or a table with its id",
        "[4].total_timeout = 1: expected a duration",
        "[4].upstream_id = x: \"*\" passes every name on as it is",
        "[5].id: expected the model's name",
        "[1].fallback = none: there is no model of that name",
        "[1].fallback = good: is listed already",
        "[1].fallback = b: a model can't be its own fallback",
        "[1].fallback = *: a fallback is the name of one model",
        "[1].fallback = eliza: the built-in program can't be a fallback",
    ];
    for (line, expected) in told.iter().zip(expected) {
        assert!(line.starts_with(&format!("providers.a.models{expected}")), "{expected} is not in {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn a_fallback_may_be_at_another_provider_that_is_switched_on() {
    let first = provider("models = [{ id = \"m\", fallback = [\"spare\"] }]");
    let spare = provider("models = [\"spare\"]").replace("providers.a", "providers.b");
    let config = load(&format!("{first}{spare}"), &[]).unwrap();
    assert_eq!(upstream(&config, "a").models[0].fallback, ["spare"]);
    let off = problems(&format!("{first}{spare}enabled = false"), &[]);
    assert_eq!(off, ["providers.a.models[0].fallback = spare: there is no model of that name (config.toml line 4)"]);
}

#[test]
fn a_provider_speaks_one_of_three_protocols() {
    let kinds = [ProviderKind::ChatCompletions, ProviderKind::Responses, ProviderKind::Anthropic];
    for (word, kind) in ["chat_completions", "responses", "anthropic"].into_iter().zip(kinds) {
        let file = provider("models = [\"m\"]").replace("chat_completions", word);
        let config = load(&file, &[]).unwrap();
        assert_eq!((upstream(&config, "a").kind, kind.as_str()), (kind, word));
        assert_eq!(upstream(&config, "a").section.thinking, ThinkingForm::Adaptive);
    }
}

#[test]
fn a_provider_with_responses_can_be_one_that_keeps_them() {
    let native = |lines: &str| provider(lines).replace("chat_completions", "responses");
    for (line, reattach) in [("reattach = true", true), ("reattach = false", false), ("", false)] {
        let config = load(&native(&format!("models = [\"m\"]\n{line}")), &[]).unwrap();
        assert_eq!(upstream(&config, "a").section.reattach, reattach, "{line}");
    }
}

#[test]
fn one_provider_takes_any_name() {
    let any = |name: &str, models: &str| provider(&format!("models = {models}")).replace("providers.a", name);
    for models in ["[\"*\"]", "[\"m\", \"*\"]"] {
        let config = load(&any("providers.a", models), &[]).unwrap();
        let models = &upstream(&config, "a").models;
        assert_eq!(models.iter().filter(|model| model.is_any()).count(), 1);
    }
    let both = format!("{}{}", any("providers.a", "[\"*\"]"), any("providers.b", "[\"m\", \"*\"]"));
    let told = problems(&both, &[]);
    assert_eq!(
        told,
        [
            "providers.b.models[1] = *: only one provider can have \"*\", and providers.a has it already (config.toml line 8)"
        ]
    );
}
