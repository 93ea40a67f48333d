//! The start of a server: what it says, and what it says where it can't.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use antiphon::testkit::{Script, ScriptedProvider, postgres};
use serde_json::{Value, json};

use crate::support::{Site, execute};

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// Holds what a command that failed has said to these parts, in this order.
fn assert_told(site: &Site, arguments: &[&str], parts: &[&str]) {
    let (status, told) = site.refused(arguments);
    assert_eq!(status.code(), Some(1), "{told}");
    assert_says(&told, parts);
}

fn assert_says(told: &str, parts: &[&str]) {
    assert!(told.starts_with("antiphon: ") && told.contains("\n\n  What to do: "), "{told}");
    let mut rest = told;
    for part in parts {
        assert!(rest.contains(part), "{part:?} is not in its place in {told}");
        (_, rest) = rest.split_once(part).unwrap();
    }
}

/// A site that has been served and stopped.
async fn used() -> Site {
    let site = Site::new();
    let server = site.start().await;
    server.terminate();
    server.ended().await;
    site
}

#[tokio::test]
async fn a_start_says_what_runs_where_and_how_to_stop_it() {
    let site = Site::new().variable("ANTIPHON_SERVER__DRAIN_TIMEOUT", "7s");
    let first = site.start().await;
    first.printed_line("  curl -N ").await;
    let told = first.printed();
    for line in [
        format!("Antiphon listens on {}\n", first.url),
        format!("  Version   {}\n", env!("CARGO_PKG_VERSION")),
        format!("  Options   {}, 1 environment variable\n", site.folder().join("config.toml").display()),
        format!("  Data      {}\n", site.data().display()),
        format!("  Database  SQLite in {}\n", site.data().join("antiphon.db").display()),
        "  Models    eliza\n".to_owned(),
        format!("  Page      {}/, to talk to them in a browser\n", first.url),
        "  To stop   Ctrl-C or SIGTERM; running responses may finish for 7 s\n".to_owned(),
        format!("\nYour API key, shown this once:\n\n  {}\n", first.key),
        format!("  curl -N {}/v1/responses -H 'Authorization: Bearer {}'", first.url, first.key),
    ] {
        assert!(told.contains(&line), "{line:?} is not in {told}");
    }
    assert!(!told.contains('\u{1b}') && !first.log().contains('\u{1b}'), "colours are for terminals");
    assert!(!first.log().contains(" WARN ") && !first.log().contains("actix_server"), "{}", first.log());
    first.kill().await;
    let second = site.start().await;
    assert!(!second.printed().contains("ak_"), "{}", second.printed());
}

#[tokio::test]
async fn where_logs_are_json_every_line_of_the_start_is_an_object() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    let site = Site::with_models(&provider, &["m"]).variable("ANTIPHON_LOG__FORMAT", "json");
    let site = site.variable("ANTIPHON_HTTP__PAGE", "false");
    let server = site.launch();
    server.printed_line("{\"event\":\"provider\"").await;
    let lines: Vec<Value> = server.printed().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["listening", "first_key", "provider"]);
    assert_eq!((&lines[0]["models"], &lines[0]["page"]), (&json!(["eliza", "m"]), &json!(false)));
    assert_eq!((&lines[2]["name"], &lines[2]["reachable"]), (&json!("scripted"), &json!(true)));
    let key = lines[1]["api_key"].as_str().unwrap();
    assert!(!server.log().contains(key), "the log is kept, and read by others");
    assert!(server.log().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", server.log());
}

#[tokio::test]
async fn what_is_dangerous_is_said_at_the_start() {
    let site = Site::new().config("[store]\nsync = \"normal\"");
    let server = site.start().await;
    server.logged("WARN antiphon::cli::server: store.sync is \"normal\": the loss of power").await;
}

#[test]
fn a_port_that_is_taken_is_named_with_another_one() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let parts = [
        &format!("another program listens on {address} already"),
        "serve elsewhere: antiphon serve --listen 127.0.0.1:",
    ];
    assert_told(&Site::new(), &["serve", "--listen", &address], &parts);
    let parts = ["192.0.2.1:8080 is not an address of this machine", "`ip address`"];
    assert_told(&Site::new(), &["serve", "--listen", "192.0.2.1:8080"], &parts);
}

#[tokio::test]
async fn a_data_directory_that_is_served_is_named_with_its_process() {
    let site = Site::new();
    let server = site.start().await;
    let process =
        format!("another process serves the data directory '{}' (process {})", site.data().display(), server.id());
    assert_told(&site, &SERVE, &[&process, "--data"]);
}

#[test]
fn a_data_directory_that_can_not_be_used_is_told_with_the_reason() {
    let site = Site::new();
    fs::write(site.data(), "").unwrap();
    assert_told(&site, &SERVE, &["the data directory can't be used: '", "/data': ", "choose a directory with --data"]);
    let site = Site::new();
    fs::create_dir(site.folder().join("kept")).unwrap();
    fs::set_permissions(site.folder().join("kept"), Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(site.folder(), Permissions::from_mode(0o755)).unwrap();
    let mut command = site.bare(&["serve", "--listen", "127.0.0.1:0", "--data", "kept/data"]);
    if fs::metadata(site.folder()).unwrap().uid() == 0 {
        // Nothing is forbidden to root, and nobody else may be able to read the folder that the binary was built in.
        command = copied(&site, &command);
        command.uid(65_534).gid(65_534);
    }
    let (status, told) = Site::failed(&mut command);
    assert_eq!(status.code(), Some(1), "{told}");
    assert_says(&told, &["the data directory can't be used: 'kept/data': Permission denied", "`chown`"]);
}

/// The same command with a copy of its program in the site's folder.
fn copied(site: &Site, command: &Command) -> Command {
    let program = site.folder().join("antiphon");
    fs::copy(command.get_program(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let mut copied = Command::new(program);
    copied.args(command.get_args()).current_dir(site.folder()).env_clear();
    copied
}

#[test]
fn a_database_that_is_away_is_named_without_its_password() {
    let site = Site::new().config("[store]\nacquire_timeout = \"200ms\"");
    let site = site.variable("ANTIPHON_STORE__URL", "postgres://somebody:canary@127.0.0.1:1/record");
    let parts = ["the database can't be opened: PostgreSQL at 127.0.0.1:1/record: ", "Connection refused", "store.url"];
    for arguments in [&SERVE[..], &["keys", "list"], &["migrate"]] {
        assert_told(&site, arguments, &parts);
        assert!(!site.refused(arguments).1.contains("canary"));
    }
}

#[tokio::test]
async fn a_key_ring_that_is_not_the_databases_opens_nothing() {
    let (site, other) = (used().await, used().await);
    let ring = |site: &Site| site.data().join("keys.json");
    let own = fs::read(ring(&site)).unwrap();
    fs::copy(ring(&other), ring(&site)).unwrap();
    assert_told(&site, &SERVE, &["the key ring does not belong to the database: SQLite in ", "vault.key_file"]);
    fs::set_permissions(ring(&site), Permissions::from_mode(0o644)).unwrap();
    assert_told(&site, &SERVE, &["keys.json' has mode 0644; only its owner may have access", "chmod 600 '"]);
    fs::remove_file(ring(&site)).unwrap();
    assert_told(&site, &SERVE, &["there is no key file at '", "keys.json' from its backup"]);
    fs::write(ring(&site), "{ \"canary").unwrap();
    fs::set_permissions(ring(&site), Permissions::from_mode(0o600)).unwrap();
    assert_told(
        &site,
        &SERVE,
        &["the key ring is not valid at line 1, column ", "restore the key ring from its backup"],
    );
    assert!(!site.refused(&SERVE).1.contains("canary"));
    fs::write(ring(&site), own).unwrap();
    site.start().await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_as_it_is() {
    for site in [Site::new(), Site::new().on(&postgres::fresh_database())] {
        site.run(&["migrate"]);
        let db = site.script().await;
        execute(
            &db,
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_later', 1)",
            Vec::new(),
        )
        .await;
        let parts = [
            "can't be brought up to date: ",
            "a newer version of Antiphon has used it (m29991231_000001_later)",
            "a later one",
        ];
        assert_told(&site, &SERVE, &parts);
        execute(&db, "DELETE FROM seaql_migrations WHERE version = 'm29991231_000001_later'", Vec::new()).await;
        assert_eq!(site.run(&["migrate"]), "the tables are up to date");
    }
}

#[test]
fn a_configuration_file_that_is_named_has_to_be_there() {
    let site = Site::new();
    for name in ["gone.toml", "."] {
        let (status, told) = Site::failed(&mut site.bare(&["serve", "--config", name]));
        assert_eq!(status.code(), Some(2), "{told}");
        assert_says(&told, &["the configuration is not valid", &format!("\n  {name}: ")]);
    }
    let (_, told) = Site::failed(&mut site.bare(&["serve", "--config", "gone.toml"]));
    assert_says(&told, &["gone.toml: there is no such file", "name a file that is there with --config"]);
    // One that is there by name alone was meant to be read.
    std::os::unix::fs::symlink("nowhere", site.folder().join("config.toml")).unwrap();
    let (_, told) = Site::failed(&mut site.bare(&["check-config"]));
    assert!(told.contains("\n  config.toml: there is no such file"), "{told}");
}
