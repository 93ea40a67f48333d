//! The server's program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Builds it, in the form in which this program was built, unless there is one already that is to be used.
pub(crate) fn binary(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return given.canonicalize().with_context(|| format!("there is no {}", given.display()));
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--bin", "antiphon", "--features", "fault-points", "--manifest-path"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    ensure!(command.status().context("cargo can't be started")?.success(), "the server can't be built");
    Ok(std::env::current_exe()?.with_file_name("antiphon"))
}

/// Whether its threads can be blocked from outside: only a build for tests refuses a fault point that there is not.
pub(crate) fn takes_faults(binary: &Path) -> anyhow::Result<bool> {
    let mut command = Command::new(binary);
    command.args(["completions", "bash"]).env("FAULT_POINT", "none").stdout(Stdio::null()).stderr(Stdio::null());
    Ok(!command.status().context("the server can't be started")?.success())
}
