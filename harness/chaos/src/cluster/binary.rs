//! The server's program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Builds it, in the form in which this program was built, unless there is one already that is to be used.
pub(crate) fn binary(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return given.canonicalize().with_context(|| format!("there is no {}", given.display()));
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--bin", "antiphon", "--manifest-path"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    ensure!(command.status().context("cargo can't be started")?.success(), "the server can't be built");
    Ok(std::env::current_exe()?.with_file_name("antiphon"))
}
