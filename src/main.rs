//! The `antiphon` program.

use std::io::{self, Write as _};
use std::process::ExitCode;

use antiphon::cli::{self, Cli, Command};
use antiphon::config::Environment;
use antiphon::telemetry;
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match try_main(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the answer has seen enough: `antiphon keys list | head -1`.
        Err(error) if cli::reader_left(&cli.command, &error) => ExitCode::FAILURE,
        Err(error) => {
            // If nobody reads standard error, the exit code has to say it all.
            write!(io::stderr(), "{}", cli::report(&error)).ok();
            cli::exit_code(&error).into()
        }
    }
}

fn try_main(cli: &Cli) -> anyhow::Result<()> {
    #[cfg(feature = "fault-points")]
    antiphon::fault::arm()?;
    if let Command::Completions { shell } = cli.command {
        return Ok(cli::completions(shell, &mut io::stdout().lock())?);
    }
    let config = cli.load_config(&Environment::of_process())?;
    telemetry::init(&config.log)?;
    actix_rt::System::new().block_on(cli::run(cli, &config, &mut io::stdout().lock()))
}
