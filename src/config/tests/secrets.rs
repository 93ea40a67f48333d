//! The places of secrets: who needs which, and what is wrong with them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{load, load_for, problems};
use crate::config::Purpose;

const KEYED: &str = "[providers.a]\nkind = \"responses\"\nbase_url = \"http://h\"\nmodels = [\"m\"]\n";

/// The number of problems for this purpose.
fn told(purpose: Purpose, file: &str, variables: &[(&str, &str)]) -> usize {
    load_for(purpose, file, variables).err().map_or(0, |error| error.problems.len())
}

#[test]
fn a_providers_key_that_is_not_there_stands_in_the_way_of_serving_alone() {
    for (line, variables) in [
        ("api_key_env = \"GONE\"", &[][..]),
        ("api_key_env = \"BAD\"", &[("BAD", "a b")]),
        ("api_key_file = \"/gone\"", &[]),
    ] {
        let file = format!("{KEYED}{line}");
        assert_eq!(told(Purpose::Serve, &file, variables), 1, "{line}");
        assert_eq!(told(Purpose::Accounts, &file, variables), 0, "{line}");
        assert_eq!(told(Purpose::Look, &file, variables), 0, "{line}");
    }
    for line in ["api_key_env = \"no name\"", "api_key_env = \"A\"\napi_key_file = \"b\"", "kind_of = 1"] {
        assert_eq!(told(Purpose::Look, &format!("{KEYED}{line}"), &[]), 1, "{line} is wrong whoever asks");
    }
}

#[test]
fn a_place_of_the_key_ring_that_can_not_work_is_refused_where_the_ring_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let ring = folder.path().join("keys.json");
    let file = |path: &std::path::Path| format!("[vault]\nkey_file = {path:?}");
    assert_eq!(told(Purpose::Serve, &file(&ring), &[]), 0, "the first start makes it");
    fs::write(&ring, "{}").unwrap();
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o644)).unwrap();
    let named = "[vault]\nkey_env = \"RING\"";
    for (file, variables, reason) in [
        (&file(&ring)[..], &[][..], "key_file: the file has mode 0644; only its owner may have access (chmod 600)"),
        (&file(folder.path()), &[], "key_file: this is not a file"),
        (named, &[], "key_env: there is no such environment variable"),
        (named, &[("RING", "")], "key_env: the variable is empty"),
    ] {
        assert_eq!(problems(file, variables), [format!("vault.{reason} (config.toml line 2)")]);
        assert_eq!((told(Purpose::Accounts, file, variables), told(Purpose::Look, file, variables)), (1, 0));
    }
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(told(Purpose::Serve, &file(&ring), &[]), 0);
    assert_eq!(told(Purpose::Serve, named, &[("RING", "{}")]), 0);
}

#[test]
fn a_place_of_the_key_ring_that_is_empty_is_no_place() {
    for key in ["KEY_FILE", "KEY_ENV", "KEY_COMMAND"] {
        let variable = format!("ANTIPHON_VAULT__{key}");
        let all = problems("", &[(&variable, "")]);
        let expected =
            format!("vault.{}: is empty: leave it out, or give it a value (${variable})", key.to_lowercase());
        assert_eq!(all, [expected]);
        assert!(load_for(Purpose::Look, "", &[(&variable, "")]).is_err(), "{key}");
    }
}

#[test]
fn of_two_places_both_are_named() {
    let told = problems("[vault]\nkey_command = \"canary\"", &[("ANTIPHON_VAULT__KEY_FILE", "ring")]);
    let places = "key_file ($ANTIPHON_VAULT__KEY_FILE), key_command (config.toml line 2)";
    assert_eq!(told, [format!("vault: only one of key_file, key_env and key_command may be set: {places}")]);
}

#[test]
fn a_secret_in_capitals_in_the_place_of_a_variables_name_is_not_quoted() {
    for secret in ["9F86D081884C7D65", "CANARY884C7D65"] {
        let file = format!("{KEYED}api_key_env = \"{secret}\"");
        let told = problems(&file, &[]);
        assert!(told.len() == 1 && told[0].starts_with("providers.a.api_key_env: "), "{told:?}");
        assert!(!told[0].contains(secret), "{told:?}");
        let ring = format!("[vault]\nkey_env = \"{secret}\"");
        assert!(!problems(&ring, &[]).concat().contains(secret));
    }
    for file in [format!("{KEYED}api_key_env = \"CANARY\""), "[vault]\nkey_env = \"CANARY\"".to_owned()] {
        let shown = |variables| format!("{:?}", load_for(Purpose::Look, &file, variables).unwrap().settings);
        assert!(!shown(&[]).contains("CANARY"), "{}", shown(&[]));
        assert!(shown(&[("CANARY", "sk-1")]).contains("CANARY"), "the name of a variable is shown");
    }
}

#[test]
fn a_password_in_the_databases_own_url_is_seen() {
    for (url, has_password) in [
        ("postgres://u:p@h/d", true),
        ("postgres://u@h/d?password=p", true),
        ("postgres://u@h/d", false),
        ("sqlite:///var/lib/antiphon.db", false),
    ] {
        let store = load(&format!("[store]\nurl = \"{url}\""), &[]).unwrap().store;
        assert_eq!(store.url_has_password(), has_password, "{url}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, "postgres://u:p@h/d").unwrap();
    let store = load(&format!("[store]\nurl_file = {:?}", file.path()), &[]).unwrap().store;
    assert!(!store.url_has_password(), "a file of its own is its place");
}
