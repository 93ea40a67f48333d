//! Error reports: what happened, and what to do next. The advice for every error is here and nowhere else.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use super::{Command, StartupError};
use crate::access;
use crate::config::InvalidConfig;
use crate::provider::UpstreamError;
use crate::store::{self, NewerTables, OlderTables};
use crate::vault::{self, RingError};

mod accounts;
mod vaults;

#[cfg(test)]
mod tests;

/// The exit code of a command line or a configuration that is not valid. Another start changes nothing about it.
const NOT_VALID: u8 = 2;

/// What is written to standard error: the error with its causes, each said once, and the advice if there is some.
#[must_use]
pub fn report(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // Many errors repeat their cause in their own words.
        if !text.contains(&cause) {
            text.push_str(if text.is_empty() { "antiphon: " } else { ": " });
            text.push_str(&cause);
        }
    }
    match advice(error) {
        Some(advice) => format!("{text}\n\n  What to do: {advice}\n"),
        None => format!("{text}\n"),
    }
}

/// How the process ends: 2 where the command line or the configuration is not valid, 1 for everything else.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<InvalidConfig>().is_some() { NOT_VALID } else { 1 }
}

/// Whether a command failed only because the reader of its answer has closed the pipe; nothing is reported then.
#[must_use]
pub fn reader_left(command: &Command, error: &anyhow::Error) -> bool {
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    !matches!(command, Command::Serve { .. }) && error.downcast_ref().is_some_and(is_closed)
}

fn advice(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(of_cause)
}

fn of_cause(cause: &(dyn Error + 'static)) -> Option<String> {
    let of_accounts = || cause.downcast_ref().map(accounts::for_accounts);
    let of_service = || cause.downcast_ref().map(accounts::for_service);
    let of_vault = || cause.downcast_ref().map(vaults::for_vault);
    let of_ring = || cause.downcast_ref().map(vaults::for_ring);
    let of_upstream = || cause.downcast_ref().map(for_upstream);
    let of_startup = || cause.downcast_ref().map(for_startup);
    let of_configuration = cause.downcast_ref().map(for_configuration);
    let before = of_configuration.or_else(of_startup).or_else(of_upstream);
    before.or_else(of_service).or_else(of_accounts).or_else(of_vault).or_else(of_ring)
}

fn for_configuration(error: &InvalidConfig) -> String {
    let missing = error.problems.iter().any(|problem| problem.reason == crate::config::NO_FILE);
    if missing {
        "name a file that is there with --config, or leave it out: then config.toml in this directory is read, if \
         there is one."
            .to_owned()
    } else {
        "mend these and try again; `antiphon check-config` looks without starting anything.".to_owned()
    }
}

fn for_startup(error: &StartupError) -> String {
    match error {
        StartupError::AddressInUse(address) => format!(
            "stop the other program (`ss -ltnp 'sport = :{}'` shows it), or serve elsewhere: \
             antiphon serve --listen {}",
            address.port(),
            next_port(*address)
        ),
        StartupError::AddressElsewhere(_) => {
            "listen on an address of this machine (`ip address` shows them), or on all of them with 0.0.0.0.".to_owned()
        }
        StartupError::AddressForbidden(address) => format!(
            "ports below 1024 are kept for the system: put a proxy there, or choose another: \
             antiphon serve --listen {}:8080",
            address.ip()
        ),
        StartupError::Address { .. } => "choose another address with --listen or server.listen.".to_owned(),
        StartupError::DataDirBusy { .. } => {
            "stop that server first, or give this one a directory of its own with --data. The other commands work \
             beside a running server."
                .to_owned()
        }
        StartupError::DataDir { source, .. } => for_directory(source),
        StartupError::Database { source, .. } => for_database(source),
        StartupError::Tables { source, .. } => for_tables(source),
        StartupError::DatabaseGone { note, .. } => format!(
            "restore the database from its backup, or mount its disk. To begin anew with an empty one, for good: \
             `rm '{}'` and start again.",
            note.display()
        ),
        StartupError::RingLost(path) => format!(
            "restore '{}' from its backup, or say where it is with vault.key_file. Without it nobody can read what \
             is in the database; to begin anew, use another data directory.",
            path.display()
        ),
        StartupError::RingOfAnother(_) => {
            "use the key ring that this database was written with (vault.key_file, vault.key_env or \
             vault.key_command), or the database that belongs to this ring (--data, store.url)."
                .to_owned()
        }
        StartupError::NoDatabase(_) | StartupError::NotBegun(_) => {
            "say where the server's data and options are, with --data and --config or ANTIPHON_DATA and \
             ANTIPHON_CONFIG (`antiphon show-config` shows what holds here); `antiphon serve` begins a new database."
                .to_owned()
        }
        StartupError::NotSetAside(_) => {
            "`antiphon doctor` lists those that are; the server's log has the others.".to_owned()
        }
        StartupError::StillOwned { .. } => {
            "that server tries to end it, at most a minute apart; stop the server first to give the response up."
                .to_owned()
        }
        StartupError::NoSuchKey => {
            "`antiphon keys list` shows the ids: ak_ and 16 digits, without what follows them in a key.".to_owned()
        }
    }
}

fn for_upstream(error: &UpstreamError) -> String {
    match error {
        UpstreamError::InvalidBaseUrl { .. } => "mend base_url of that provider, and start again.",
        UpstreamError::InvalidApiKey => {
            "write that provider's key anew, without blanks and line breaks (api_key_env, api_key_file)."
        }
        UpstreamError::NoRootCertificates => {
            "install the system's certificates (`apt install ca-certificates`), or use a base_url with http:// if that \
             provider is on this machine."
        }
        UpstreamError::Client { .. } => {
            "see that the system's certificates are whole (`update-ca-certificates`) and that proxy variables such as \
             HTTPS_PROXY are right; then start again."
        }
    }
    .to_owned()
}

fn next_port(address: SocketAddr) -> SocketAddr {
    let port = address.port().checked_add(1).unwrap_or(8080);
    SocketAddr::new(address.ip(), port)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign, non-exhaustive enum")]
fn for_directory(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "give this user the directory (`chown`), or choose one that it may write to with --data."
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on the disk and start again.",
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "this is a file, or below one: choose a directory with --data."
        }
        _ => "choose a directory that can be made and written to with --data.",
    }
    .to_owned()
}

fn for_database(source: &store::Error) -> String {
    match source {
        store::Error::Unavailable(_) | store::Error::TimedOut(_) | store::Error::Contended(_) => {
            "see that the database runs and can be reached from here, and that store.url says where it is \
             (`antiphon show-config` says who set it); then start again."
        }
        store::Error::Full(_) => "make room on its disk and start again.",
        store::Error::Failed(_) | store::Error::Corrupt { .. } | store::Error::UnknownCursor => {
            "see that store.url names the right database, user and password, and that the file is a database of \
             Antiphon's; then start again. One that is damaged has to be restored from its backup."
        }
    }
    .to_owned()
}

fn for_tables(source: &store::Error) -> String {
    let is_newer = std::error::Error::source(source).is_some_and(|source| source.is::<NewerTables>());
    if is_newer {
        "run the version of Antiphon that last used this database, or a later one; or restore a backup from before \
         the upgrade. Nothing was changed."
            .to_owned()
    } else if std::error::Error::source(source).is_some_and(|source| source.is::<OlderTables>()) {
        "run this command in the version that the servers run, or start a server of this version first: it changes the \
         tables. Nothing was changed."
            .to_owned()
    } else {
        "see that the user of the database may create and change tables, and that there is room on its disk; then \
         run `antiphon migrate`. Nothing was changed."
            .to_owned()
    }
}
