//! The commands over a real database in a directory of their own.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::{fs, io};

use clap::Parser as _;

use super::command_context::CommandContext;
use super::time::rfc3339;
use super::{Cli, DataDir, prepare, report, run};
use crate::config::{Config, Environment};
use crate::domain::Timestamp;

fn config() -> Config {
    Config::load(None, &Environment::default()).unwrap()
}

/// The configuration of a file of these lines.
pub(super) fn configured(lines: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, lines).unwrap();
    Config::load(Some(file.path()), &Environment::default()).unwrap()
}

/// What a command prints on standard output.
async fn antiphon(data: &Path, args: &str) -> anyhow::Result<String> {
    let words = ["antiphon", "--data", data.to_str().unwrap()].into_iter().chain(args.split(' '));
    let cli = Cli::try_parse_from(words)?;
    let mut out = Vec::new();
    run(&cli, &config(), &mut out, &mut io::sink()).await?;
    Ok(String::from_utf8(out)?)
}

#[tokio::test]
async fn a_created_key_is_printed_alone_and_works_until_it_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data with % and ?");
    let key = antiphon(&data, "keys create --name laptop").await.unwrap();
    let key = key.strip_suffix('\n').unwrap();
    assert_eq!(key.len(), 63);
    let served = prepare(config(), &data, None).await.unwrap();
    let principal = served.authenticator.authenticate(key).await.unwrap();
    let listed = antiphon(&data, "keys list").await.unwrap();
    assert!(listed.starts_with(&principal.key_id) && listed.ends_with("  default  laptop  valid\n"), "{listed}");
    assert!(!listed.contains(&key[20..]), "the secret part is not listed");
    antiphon(&data, &format!("keys revoke {}", principal.key_id)).await.unwrap();
    assert!(served.authenticator.authenticate(key).await.is_err());
    assert!(antiphon(&data, "keys revoke ak_0000000000000000").await.is_err());
}

#[tokio::test]
async fn the_first_start_shows_a_key_and_a_line_that_streams_and_later_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let address = "0.0.0.0:8080".parse().unwrap();
    let first = prepare(config(), &data, Some(address)).await.unwrap();
    assert_eq!(first.config.server.listen, address);
    let welcome = first.welcome(address).await.unwrap();
    let curl = welcome.lines().find(|line| line.trim_start().starts_with("curl -N http://127.0.0.1:8080/")).unwrap();
    let key = curl.split("Bearer ").nth(1).unwrap().split('\'').next().unwrap();
    first.authenticator.authenticate(key).await.unwrap();
    assert!(curl.contains("\"eliza\"") && curl.contains("\"stream\":true"), "{curl}");
    let second = first.welcome(address).await.unwrap();
    assert!(second.starts_with("Antiphon listens on http://127.0.0.1:8080\n\n"), "{second}");
    assert!(!second.contains("ak_") && !second.contains("curl"), "{second}");
    let node = first.node.clone();
    drop(first);
    assert_eq!(prepare(config(), &data, None).await.unwrap().node, node);
}

#[tokio::test]
async fn one_process_serves_a_data_directory_and_commands_work_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let served = prepare(config(), &data, None).await.unwrap();
    let second = prepare(config(), &data, None).await.unwrap_err();
    let told =
        format!("another process serves the data directory '{}' (process {})", data.display(), std::process::id());
    assert_eq!(second.to_string(), told);
    antiphon(&data, "users create ada").await.unwrap();
    assert_eq!(antiphon(&data, "migrate").await.unwrap(), "the tables are up to date\n");
    let rotated = antiphon(&data, "vault rotate").await.unwrap();
    assert_eq!(rotated, "key version 2 is current; 1 of 1 data keys were wrapped anew\n");
    let ada = served.service.find_user("ada").await.unwrap();
    served.vault.user_key(ada.id).await.unwrap();
}

#[tokio::test]
async fn a_user_is_added_listed_and_deleted_with_its_data_key() {
    let dir = tempfile::tempdir().unwrap();
    let id = antiphon(dir.path(), "users create ada").await.unwrap();
    assert!(antiphon(dir.path(), "users create ada").await.is_err());
    assert!(antiphon(dir.path(), "users list").await.unwrap().starts_with(id.trim_end()));
    antiphon(dir.path(), "keys create --name k --user ada").await.unwrap();
    antiphon(dir.path(), "users delete ada").await.unwrap();
    assert_eq!(antiphon(dir.path(), "users list").await.unwrap(), "");
    assert_eq!(antiphon(dir.path(), "keys list").await.unwrap(), "");
    assert!(antiphon(dir.path(), "keys create --name k --user ada").await.is_err());
}

#[tokio::test]
async fn a_lost_key_file_is_not_replaced_by_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    antiphon(dir.path(), "users create ada").await.unwrap();
    fs::remove_file(dir.path().join("keys.json")).unwrap();
    let refused = antiphon(dir.path(), "users list").await.unwrap_err();
    assert!(report(&refused).contains("keys.json' from its backup"), "{refused:#}");
    assert!(!dir.path().join("keys.json").exists());
}

#[tokio::test]
async fn what_looks_for_something_begins_nothing_in_the_wrong_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("wrong");
    for command in ["keys list", "keys revoke ak_0000000000000000", "users list", "users delete ada", "vault rotate"] {
        let refused = antiphon(&data, command).await.unwrap_err();
        let expected = format!("there is no database at '{}'", data.join("antiphon.db").display());
        assert_eq!(refused.to_string(), expected, "{command}");
        assert!(report(&refused).contains("ANTIPHON_DATA"), "{command}");
        assert!(!data.exists(), "{command}");
    }
    assert_eq!(antiphon(&data, "migrate").await.unwrap(), "the tables are up to date\n");
    let refused = antiphon(&data, "keys list").await.unwrap_err();
    assert!(refused.to_string().starts_with("there is no key ring at '"), "{refused:#}");
    assert!(!data.join("keys.json").exists());
    antiphon(&data, "users create ada").await.unwrap();
    assert_eq!(antiphon(&data, "keys list").await.unwrap(), "");
}

#[tokio::test]
async fn a_site_says_once_that_it_was_begun() {
    let dir = tempfile::tempdir().unwrap();
    let data = DataDir::open(&dir.path().join("data")).unwrap();
    let begun = CommandContext::open(&config(), &data).await.unwrap().begun.unwrap();
    assert!(begun.contains(&format!("a new data directory: '{}'", data.path().display())), "{begun}");
    assert_eq!(CommandContext::open(&config(), &data).await.unwrap().begun, None);
    assert_eq!(CommandContext::find(&config(), &data).await.unwrap().begun, None);
}

#[test]
fn only_what_asks_providers_needs_their_keys() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let provider = "[providers.a]\nkind = \"responses\"\nbase_url = \"http://h\"\nmodels = [\"m\"]";
    fs::write(&file, format!("{provider}\napi_key_env = \"GONE\"")).unwrap();
    let loaded = |args: &str| {
        let words = ["antiphon", "--config", file.path().to_str().unwrap()].into_iter().chain(args.split(' '));
        Cli::try_parse_from(words).unwrap().load_config(&Environment::default())
    };
    for command in ["serve", "check-config"] {
        assert!(loaded(command).unwrap_err().to_string().contains("providers.a.api_key_env"), "{command}");
    }
    for command in ["keys revoke x", "keys create --name k", "users list", "vault rotate", "migrate", "show-config"] {
        assert!(loaded(command).is_ok(), "{command}");
    }
}

#[test]
fn the_data_directory_and_all_in_it_belong_to_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/data");
    let opened = DataDir::open(&data).unwrap();
    let lock = opened.lock().unwrap();
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(opened.lock().is_err());
    drop(lock);
    opened.lock().unwrap();
}

#[test]
fn the_arguments_are_what_the_manual_says() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
    let cli = Cli::try_parse_from(["antiphon", "keys", "list"]).unwrap();
    assert_eq!((cli.data.as_path(), cli.config), (Path::new("./data"), None));
    assert!(Cli::try_parse_from(["antiphon", "keys", "create"]).is_err());
}

#[test]
fn times_are_dates_of_the_calendar() {
    let at = |seconds: i64| rfc3339(Timestamp::from_micros(seconds * 1_000_000));
    assert_eq!(at(0), "1970-01-01T00:00:00Z");
    assert_eq!(at(951_827_696), "2000-02-29T12:34:56Z");
    assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    assert_eq!(at(-1), "1969-12-31T23:59:59Z");
}
