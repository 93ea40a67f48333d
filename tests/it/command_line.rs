//! The command line as people meet it: help, completions, and the configuration as it holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::Site;

/// What a command without arguments of its own prints.
fn printed(site: &Site, arguments: &[&str]) -> String {
    let output = site.bare(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The options that are shown, by section and name: the value and the comment behind it.
fn shown(text: &str) -> BTreeMap<String, (String, String)> {
    let mut section = "";
    let mut options = BTreeMap::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((key, rest)) = line.split_once(" = ") {
            let (value, origin) = rest.rsplit_once(" # ").unwrap();
            options.insert(format!("{section}.{key}"), (value.trim_end().to_owned(), origin.to_owned()));
        }
    }
    options
}

fn template() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap()
}

#[test]
fn the_file_in_the_repository_has_every_option_at_the_default_of_the_binary() {
    let site = Site::new();
    let defaults = shown(&printed(&site, &["show-config"]));
    assert!(defaults.len() > 35 && defaults.values().all(|(_, origin)| origin == "default"), "{defaults:?}");
    fs::write(site.folder().join("config.toml"), template()).unwrap();
    let written = shown(&printed(&site, &["show-config"]));
    let values = |options: &BTreeMap<String, (String, String)>| -> BTreeMap<String, String> {
        options.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    };
    assert_eq!(values(&written), values(&defaults));
    let lines: Vec<String> = template().lines().map(str::to_owned).collect();
    for (key, (value, origin)) in &written {
        let line = origin.strip_prefix("config.toml line ").and_then(|line| line.parse::<usize>().ok());
        assert!(line.is_some(), "{key} is not in the file: {origin}");
        let (_, name) = key.rsplit_once('.').unwrap();
        assert_eq!(lines[line.unwrap() - 1], format!("{name} = {value}"));
    }
}

#[test]
fn every_option_that_a_section_can_have_is_in_the_file() {
    let site = Site::new();
    let template = template();
    for section in ["server", "http", "store", "vault", "responses", "limits", "log", "providers.x"] {
        fs::write(site.folder().join("config.toml"), format!("[{section}]\nqqqqqqqqqq = 1")).unwrap();
        let (_, told) = Site::failed(&mut site.bare(&["check-config"]));
        let line = told.lines().find(|line| line.contains("qqqqqqqqqq")).unwrap();
        let (_, known) = line.split_once("there is no such option; there are ").unwrap();
        let known: Vec<&str> = known.split(" (").next().unwrap().split(", ").collect();
        assert!(known.len() > 1, "{told}");
        for key in known {
            let is_there = ["\n", "\n# "].iter().any(|before| template.contains(&format!("{before}{key} = ")));
            assert!(is_there, "{section}.{key} is not in config.toml");
        }
    }
}

#[test]
fn the_configuration_that_holds_is_shown_with_the_source_of_each_value() {
    let site = Site::new()
        .variable("ANTIPHON_SERVER__WORKERS", "3")
        .variable("ANTIPHON_CONFIG", "own.toml")
        .variable("ANTIPHON_DATA", "elsewhere")
        .variable("LOCAL_KEY", "canary");
    let file = "[http]\nkeep_alive = \"20s\"\n\n[providers.local]\nkind = \"chat_completions\"\n\
                base_url = \"http://127.0.0.1:1/v1\"\napi_key_env = \"LOCAL_KEY\"\nmodels = [\"m\"]\n";
    fs::write(site.folder().join("own.toml"), file).unwrap();
    let text = printed(&site, &["show-config"]);
    let shown = shown(&text);
    for (key, value, origin) in [
        ("server.workers", "3", "$ANTIPHON_SERVER__WORKERS"),
        ("http.keep_alive", "\"20s\"", "own.toml line 2"),
        ("http.header_wait", "\"2s\"", "default"),
        ("providers.local.api_key_env", "\"LOCAL_KEY\"", "own.toml line 7"),
        ("providers.local.models", "[\"m\"]", "own.toml line 8"),
        ("providers.local.queue_timeout", "\"30s\"", "default"),
    ] {
        assert_eq!(shown.get(key), Some(&(value.to_owned(), origin.to_owned())), "{key} in {text}");
    }
    assert!(!text.contains("canary"), "{text}");
    // What is shown can be read again, and says the same.
    fs::write(site.folder().join("own.toml"), &text).unwrap();
    let again = self::shown(&printed(&site, &["show-config"]));
    assert!(shown.iter().all(|(key, (value, _))| again[key].0 == *value), "{again:?}");
    site.bare(&["migrate"]).output().unwrap();
    assert!(site.folder().join("elsewhere/antiphon.db").exists(), "ANTIPHON_DATA says where");
}

#[test]
fn help_is_short_or_long_and_has_every_command_and_no_colours_in_a_pipe() {
    let site = Site::new();
    let (short, long) = (printed(&site, &["-h"]), printed(&site, &["--help"]));
    for text in [&short, &long] {
        for command in ["serve", "keys", "users", "vault", "check-config", "show-config", "migrate", "completions"] {
            assert!(text.contains(&format!("\n  {command} ")), "{command} is not in {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(short.lines().count() < long.lines().count());
    for part in ["First steps:", "Where things are:", "ANTIPHON_<SECTION>__<KEY>", "Exit codes: 0"] {
        assert!(long.contains(part), "{part} is not in {long}");
    }
    let serve = printed(&site, &["serve", "--help"]);
    assert!(serve.contains("SIGTERM") && serve.contains("shown again"), "{serve}");
    assert_eq!(printed(&site, &["--version"]), format!("antiphon {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn shells_get_completions_also_where_the_configuration_is_not_valid() {
    let site = Site::new().variable("ANTIPHON_SERVER__WORKERS", "many");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&site, &["completions", shell]);
        for word in ["antiphon", "show-config", "revoke", "listen"] {
            assert!(script.contains(word), "{word} is not in the script for {shell}");
        }
    }
    let (status, told) = Site::failed(&mut site.bare(&["completions", "csh"]));
    assert_eq!(status.code(), Some(2), "{told}");
}

#[test]
fn a_command_whose_reader_has_left_says_nothing_about_it() {
    let site = Site::new();
    for arguments in [&["show-config"][..], &["completions", "bash"], &["users", "create", "ada"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = site.bare(arguments).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(1), String::new()));
    }
}
