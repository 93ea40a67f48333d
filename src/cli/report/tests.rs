use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::{exit_code, report};
use crate::access::ServiceError;
use crate::cli::StartupError;
use crate::config::{Config, Environment};
use crate::protocol::{ResponseId, UserId};
use crate::provider::UpstreamError;
use crate::store::{self, AccountError};
use crate::vault::{self, RingError};

#[test]
fn a_cause_that_an_error_repeats_is_said_once() {
    let error = anyhow::anyhow!("no such host").context("the query failed: no such host").context("it can't be opened");
    assert_eq!(report(&error), "antiphon: it can't be opened: the query failed: no such host\n");
}

#[test]
fn an_obstacle_comes_with_what_to_do_also_below_other_words() {
    let address = "127.0.0.1:8080".parse().ok();
    let obstacle = address.map(|address| StartupError::at(address, io::ErrorKind::AddrInUse.into()));
    let error = obstacle.map(|obstacle| anyhow::Error::new(obstacle).context("the start failed"));
    let told = error.as_ref().map(report).unwrap_or_default();
    assert!(
        told.starts_with("antiphon: the start failed: another program listens on 127.0.0.1:8080 already\n"),
        "{told}"
    );
    assert!(told.ends_with("antiphon serve --listen 127.0.0.1:8081\n"), "{told}");
    assert_eq!(error.as_ref().map(exit_code), Some(1));
}

#[test]
fn what_is_not_valid_has_an_exit_code_of_its_own() {
    let variables = [("ANTIPHON_SERVER__WORKERS".to_owned(), "many".to_owned())];
    let invalid = Config::load(None, &variables.into_iter().collect::<Environment>()).map_err(anyhow::Error::new);
    assert_eq!(invalid.as_ref().map_err(exit_code).err(), Some(2));
}

fn advised(error: impl Into<anyhow::Error>) {
    let told = report(&error.into().context("while something was done"));
    let advice = told.split_once("\n\n  What to do: ").map(|(_, advice)| advice);
    assert!(advice.is_some_and(|advice| advice.len() > 20 && advice.trim_end().ends_with(['.', ')'])), "{told}");
}

fn away() -> store::Error {
    store::Error::Unavailable("gone".into())
}

// Each match of these kinds is exhaustive, so that a new one has its advice, too. Here each is found below other words.

#[test]
fn every_error_of_users_and_keys_comes_with_what_to_do() {
    for error in [AccountError::NameTaken, AccountError::UnknownUser, AccountError::Store(away())] {
        advised(error);
    }
    for error in [
        ServiceError::InvalidName,
        ServiceError::Vault(vault::Error::Randomness),
        ServiceError::Accounts(AccountError::UnknownUser),
        ServiceError::Accounts(AccountError::NameTaken),
        ServiceError::Accounts(AccountError::Store(away())),
        ServiceError::Randomness,
    ] {
        advised(error);
    }
    for obstacle in [
        StartupError::NoSuchKey,
        StartupError::NotSetAside(ResponseId::new()),
        StartupError::StillOwned { id: ResponseId::new(), node: "n1".to_owned() },
        StartupError::NoDatabase(PathBuf::from("/data/antiphon.db")),
        StartupError::NotBegun(PathBuf::from("/data/keys.json")),
    ] {
        advised(obstacle);
    }
}

#[test]
fn every_error_of_the_vault_comes_with_what_to_do() {
    let (path, kind) = (PathBuf::from("/keys.json"), io::ErrorKind::Other);
    for error in [
        RingError::Missing(path.clone()),
        RingError::File { path: path.clone(), source: kind.into() },
        RingError::Exposed { path, mode: 0o644 },
        RingError::Variable("RING".to_owned()),
        RingError::Command(kind.into()),
        RingError::CommandStatus(ExitStatus::from_raw(256)),
        RingError::CommandTimeout,
        RingError::Interrupted,
        RingError::Syntax { line: 1, column: 1 },
        RingError::NoCurrent(1),
        RingError::Full,
        RingError::Randomness,
    ] {
        advised(error);
    }
    for error in [
        vault::Error::Tampered,
        vault::Error::TooLarge { bytes: 1 },
        vault::Error::UnknownKeyVersion(1),
        vault::Error::NoDataKey(UserId::new()),
        vault::Error::Randomness,
        vault::Error::Ring(RingError::Full),
        vault::Error::Accounts(AccountError::UnknownUser),
    ] {
        advised(error);
    }
}

#[test]
fn every_client_of_a_provider_that_can_not_be_built_comes_with_what_to_do() {
    for error in [
        UpstreamError::InvalidBaseUrl { reason: "no host" },
        UpstreamError::InvalidApiKey,
        UpstreamError::NoRootCertificates,
        UpstreamError::Client { reason: "builder error".to_owned() },
    ] {
        advised(error);
    }
}
