//! Carrying out a command.

use std::io::Write;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{Cli, Command, completions};
use super::command_context::CommandContext;
use super::{DataDir, doctor, keys, maintenance, server, users};
use crate::config::Config;

/// Carries out a command. What it answers goes to `out`, what else people should know to `errors`.
///
/// # Errors
/// What people are to read on standard error.
pub async fn run(cli: &Cli, config: &Config, out: &mut dyn Write, errors: &mut dyn Write) -> anyhow::Result<()> {
    outlive_limits_of_files()?;
    match &cli.command {
        Command::Serve { listen } => Box::pin(server::serve(config.clone(), &cli.data, *listen, out)).await,
        Command::CheckConfig => maintenance::check_config(config, &cli.data, out, errors),
        Command::ShowConfig => maintenance::show_config(config, out),
        Command::Completions { shell } => Ok(completions(*shell, out)?),
        Command::Doctor { command } => {
            maintenance::tell_open_files(config, &cli.data, errors)?;
            doctor::run(config, &DataDir::at(&cli.data), command.as_ref(), out).await
        }
        Command::Migrate => maintenance::migrate(config, &DataDir::open(&cli.data)?, out).await,
        Command::Keys(command) => {
            with_context_of(cli, config, errors, async |context| keys::run(context, command, out).await).await
        }
        Command::Users(command) => {
            with_context_of(cli, config, errors, async |context| users::run(context, command, out).await).await
        }
        Command::Vault(command) => {
            with_context_of(cli, config, errors, async |context| maintenance::vault(context, command, out).await).await
        }
    }
}

/// Has a write over a limit on the size of files fail, where the system would end the process: the signal is taken and
/// nothing is done about it, from now until the end.
fn outlive_limits_of_files() -> std::io::Result<()> {
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// Opens the database for one piece of work and closes it after that, whatever became of the work.
async fn with_context_of(
    cli: &Cli,
    config: &Config,
    errors: &mut dyn Write,
    work: impl AsyncFnOnce(&CommandContext) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let context = if cli.command.may_begin() {
        Box::pin(CommandContext::open(config, &DataDir::open(&cli.data)?)).await?
    } else {
        Box::pin(CommandContext::find(config, &DataDir::at(&cli.data))).await?
    };
    if let Some(told) = &context.begun {
        // The answer on standard output is for programs. If nobody reads this, the command has still done its work.
        errors.write_all(format!("antiphon: {told}\n").as_bytes()).ok();
    }
    let done = work(&context).await;
    let closed = context.store.close().await;
    done.and(closed.map_err(anyhow::Error::from))
}
