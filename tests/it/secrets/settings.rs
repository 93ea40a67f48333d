//! The secrets of the configuration, in every place that they can come from: whatever is run, and whatever is wrong
//! with them, they are not printed and not logged.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use antiphon::testkit::{Script, ScriptedProvider, postgres};
use serde_json::{Value, json};

use crate::support::Site;

/// In every secret of this test but those that are made by the server. Nothing else has it.
const CANARY: &str = "CANARYzq";

/// Everything that a command writes, whether it fails or not.
fn output(site: &Site, arguments: &[&str]) -> String {
    let output = site.command(arguments).output().unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat()
}

fn assert_silent(what: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{what} shows a secret: {line:?}");
    }
}

fn secret_file(site: &Site, name: &str, text: &str) -> PathBuf {
    let path = site.folder().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

fn loud(site: Site) -> Site {
    site.variable("ANTIPHON_LOG__FILTER", "trace").variable("RUST_LOG", "trace").variable("RUST_BACKTRACE", "full")
}

/// A key ring as a text, and its secrets.
fn ring() -> (String, Vec<String>) {
    let site = Site::new();
    site.run(&["users", "create", "somebody"]);
    let text = fs::read_to_string(site.data().join("keys.json")).unwrap();
    let ring: Value = serde_json::from_str(&text).unwrap();
    let secrets = [&ring["pepper"], &ring["keys"]["1"]].map(|secret| secret.as_str().unwrap().to_owned());
    (text, secrets.to_vec())
}

#[tokio::test]
async fn no_command_and_no_log_shows_a_secret_of_the_configuration() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    provider.script("n", Script::status(401, &[], "{}"));
    let (ring, mut secrets) = ring();
    secrets.push(CANARY.to_owned());
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let site = loud(Site::new().provider("by_name", &provider.base_url(), &["m"]))
        .config("api_key_env = \"BY_NAME_KEY\"")
        .variable("BY_NAME_KEY", &format!("sk-{CANARY}"))
        .variable("RING", &ring);
    let key = secret_file(&site, "key", &format!("sk-{CANARY}-of-a-file\n"));
    let url = postgres::fresh_database().replace("postgres@", &format!("postgres:{CANARY}@"));
    assert!(url.contains(CANARY), "{url}");
    let url = secret_file(&site, "url", &url);
    let site = site
        .provider("by_file", &provider.base_url(), &["n"])
        .config(&format!("api_key_file = {key:?}\n[store]\nurl_file = {url:?}\n[vault]\nkey_env = \"RING\""));
    let server = site.start().await;
    let client = server.client();
    for model in ["m", "n"] {
        client.create(&json!({ "model": model, "input": "Hi." })).await;
    }
    let sent = provider.requests();
    let keys: Vec<Option<&str>> = sent.iter().map(|request| request.header("authorization")).collect();
    let expected = [format!("Bearer sk-{CANARY}"), format!("Bearer sk-{CANARY}-of-a-file")];
    assert_eq!(keys, [Some(expected[0].as_str()), Some(expected[1].as_str())]);
    for arguments in [
        &["check-config"][..],
        &["show-config"],
        &["keys", "list"],
        &["keys", "create", "--name", "k"],
        &["keys", "revoke", CANARY],
        &["users", "list"],
        &["migrate"],
        &["vault", "rotate"],
        &["serve"],
        &["completions", "bash"],
        &["--help"],
    ] {
        assert_silent(&format!("{arguments:?}"), &output(&site, arguments), &secrets);
    }
    let shown = output(&site, &["show-config"]);
    assert!(shown.contains("url_file = ") && shown.contains("key_env = \"RING\""), "{shown}");
    assert_silent("standard output", &server.printed(), &secrets);
    let log = server.kill().await;
    assert!(log.contains(" DEBUG "), "the filter is open");
    assert_silent("the log", &log, &secrets);
}

#[test]
fn a_secret_that_is_malformed_or_in_the_wrong_place_is_not_quoted() {
    let provider = |line: &str| {
        format!("[providers.a]\nkind = \"responses\"\nbase_url = \"http://127.0.0.1:1\"\nmodels = [\"m\"]\n{line}")
    };
    let lines = [
        provider(&format!("api_key = \"sk-{CANARY}\"")),
        provider(&format!("api_key_env = \"sk-{CANARY}\"")),
        provider(&format!("api_key_env = [\"sk-{CANARY}\"]")),
        provider(&format!("api_key_file = [\"sk-{CANARY}\"]")),
        provider("api_key_env = \"WITH_BLANKS\""),
        provider("api_key_file = \"blanks\""),
        provider("api_key_file = \"open\""),
        provider(&format!("api_key_env = \"{CANARY}")),
        provider("").replace("http://", &format!("http://u:{CANARY}@")),
        provider("").replace("\"http://127.0.0.1:1\"", &format!("[\"http://u:{CANARY}@h\"]")),
        format!("[store]\nurl = \"postgres://u:{CANARY}@127.0.0.1:port/d\""),
        format!("[store]\nurl = \"mysql://u:{CANARY}@127.0.0.1/d\""),
        format!("[store]\nurl = [\"postgres://u:{CANARY}@127.0.0.1/d\"]"),
        format!("[store]\nurl = postgres://u:{CANARY}@127.0.0.1/d"),
        format!("[store]\nurl = \"postgres://127.0.0.1:1/d?paswort={CANARY}\""),
        format!("[store]\nurl = \"postgres://u:{CANARY}@127.0.0.1:1/d\"\nacquire_timeout = \"100ms\""),
        format!("[store]\nurl = \"postgres://127.0.0.1:1/d?password={CANARY}\"\nacquire_timeout = \"100ms\""),
        format!("[store]\nurl_file = \"postgres://u:{CANARY}@127.0.0.1/d\""),
        "[store]\nurl_file = \"blanks\"".to_owned(),
        format!("[server]\nlisten = \"postgres://u:{CANARY}@127.0.0.1/d\""),
        format!("[vault]\nkey_command = \"echo {CANARY}\""),
        format!("[vault]\nkey_command = \"echo {CANARY} && false\""),
        format!("[vault]\nkey_command = [\"{CANARY}\"]"),
        "[vault]\nkey_env = \"WITH_BLANKS\"".to_owned(),
        format!("[vault]\nkeys = \"{CANARY}\""),
        CANARY.to_owned(),
    ];
    for line in lines {
        let site = loud(Site::new().config(&line)).variable("WITH_BLANKS", &format!("{CANARY} {CANARY}"));
        secret_file(&site, "blanks", &format!("{CANARY} {CANARY}"));
        let open = secret_file(&site, "open", CANARY);
        fs::set_permissions(open, Permissions::from_mode(0o644)).unwrap();
        let (_, told) = site.refused(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(told.starts_with("antiphon: ") || told.contains("\nantiphon: "), "{line}: {told}");
        for arguments in [&["check-config"][..], &["show-config"], &["keys", "list"]] {
            assert_silent(&line, &output(&site, arguments), &[CANARY]);
        }
        assert_silent(&line, &told, &[CANARY]);
    }
    for (name, value) in [
        ("ANTIPHON_STORE__URL", format!("mysql://{CANARY}")),
        ("ANTIPHON_STORE_URL", format!("postgres://{CANARY}")),
        ("ANTIPHON_PROVIDERS__A__API_KEY", format!("sk-{CANARY}")),
        ("ANTIPHON_VAULT__KEY", CANARY.to_owned()),
    ] {
        let (status, told) = Site::new().variable(name, &value).refused(&["check-config"]);
        assert_eq!(status.code(), Some(2), "{told}");
        assert_silent(name, &told, &[CANARY]);
    }
}
