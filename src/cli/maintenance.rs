//! `antiphon check-config`, `antiphon show-config`, `antiphon migrate`, `antiphon vault`.

use std::io::Write;
use std::path::Path;

use super::args::VaultCommand;
use super::command_context::{CommandContext, connect};
use super::system_limits::{SystemLimits, raise_open_files};
use super::{DataDir, startup_warnings};
use crate::config::Config;

/// A configuration that is not valid does not come this far. What the limits of this shell do not allow is told: those of a
/// service may be others.
pub(super) fn check_config(
    config: &Config,
    data: &Path,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> anyhow::Result<()> {
    raise_open_files()?;
    for problem in SystemLimits::of_this_process().problems(config) {
        writeln!(errors, "antiphon: {problem}")?;
    }
    tell_open_files(config, data, errors)?;
    Ok(writeln!(out, "the configuration is valid")?)
}

/// Warns of what in the data directory others than its owner can use.
pub(super) fn tell_open_files(config: &Config, data: &Path, errors: &mut dyn Write) -> anyhow::Result<()> {
    for warning in startup_warnings::open_files(config, data) {
        writeln!(errors, "antiphon: {warning}")?;
    }
    Ok(())
}

/// Every option in its section, as `config.toml` has them, with a comment that says where its value comes from.
pub(super) fn show_config(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut section = "";
    for setting in &config.settings {
        if setting.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            writeln!(out, "{gap}[{}]", setting.section)?;
            section = &setting.section;
        }
        let option = format!("{} = {}", setting.key, setting.value);
        writeln!(out, "{option:40} # {}", setting.source)?;
    }
    Ok(())
}

pub(super) async fn migrate(config: &Config, data_dir: &DataDir, out: &mut dyn Write) -> anyhow::Result<()> {
    connect(config, data_dir).await?.close().await?;
    Ok(writeln!(out, "the tables are up to date")?)
}

pub(super) async fn vault(context: &CommandContext, command: &VaultCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        VaultCommand::Rotate => {
            let done = context.vault.rotate().await?;
            let (version, rewrapped, all) = (done.key_version, done.rewrapped, done.data_keys);
            Ok(writeln!(out, "key version {version} is current; {rewrapped} of {all} data keys were wrapped anew")?)
        }
    }
}
