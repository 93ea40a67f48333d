//! From a command to what carries it out.

use std::io::{self, Write};

use super::args::{Cli, Command, completions};
use super::site::Site;
use super::{DataDir, keys, maintenance, server, users};
use crate::config::Config;

/// Carries out a command. What it answers goes to `out`.
///
/// # Errors
/// What people are to read on standard error.
pub async fn run(cli: &Cli, config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    match &cli.command {
        Command::Serve { listen } => server::serve(config.clone(), &cli.data, *listen, out).await,
        Command::CheckConfig => maintenance::check_config(out),
        Command::ShowConfig => maintenance::show_config(config, out),
        Command::Completions { shell } => Ok(completions(*shell, out)?),
        Command::Migrate => maintenance::migrate(config, &DataDir::open(&cli.data)?, out).await,
        Command::Keys(command) => with_site(cli, config, async |site| keys::run(site, command, out).await).await,
        Command::Users(command) => with_site(cli, config, async |site| users::run(site, command, out).await).await,
        Command::Vault(command) => {
            with_site(cli, config, async |site| maintenance::vault(site, command, out).await).await
        }
    }
}

/// Opens the database for one piece of work and closes it after that, whatever became of the work.
async fn with_site(
    cli: &Cli,
    config: &Config,
    work: impl AsyncFnOnce(&Site) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let site = if cli.command.may_begin() {
        Site::open(config, &DataDir::open(&cli.data)?).await?
    } else {
        Site::find(config, &DataDir::at(&cli.data)).await?
    };
    if let Some(told) = &site.begun {
        // The answer on standard output is for programs. If nobody reads this, the command has still done its work.
        writeln!(io::stderr(), "antiphon: {told}").ok();
    }
    let done = work(&site).await;
    let closed = site.store.close().await;
    done.and(closed.map_err(anyhow::Error::from))
}
