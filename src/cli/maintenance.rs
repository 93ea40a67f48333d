//! `antiphon check-config`, `antiphon migrate`, `antiphon vault`.

use std::io::Write;

use super::DataDir;
use super::args::VaultCommand;
use super::site::{Site, connect};
use crate::config::Config;

/// A configuration that is not valid does not come this far.
pub(super) fn check_config(out: &mut dyn Write) -> anyhow::Result<()> {
    Ok(writeln!(out, "the configuration is valid")?)
}

pub(super) async fn migrate(config: &Config, data_dir: &DataDir, out: &mut dyn Write) -> anyhow::Result<()> {
    connect(config, data_dir).await?.close().await?;
    Ok(writeln!(out, "the tables are up to date")?)
}

pub(super) async fn vault(site: &Site, command: &VaultCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        VaultCommand::Rotate => {
            let done = site.vault.rotate().await?;
            let (version, rewrapped, all) = (done.key_version, done.rewrapped, done.data_keys);
            Ok(writeln!(out, "key version {version} is current; {rewrapped} of {all} data keys were wrapped anew")?)
        }
    }
}
