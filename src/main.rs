//! The `antiphon` program.

use std::io::{self, Write};
use std::process::ExitCode;

use antiphon::cli::{self, Cli, Command};
use antiphon::config::Environment;
use antiphon::telemetry::{self, BackgroundWriter};
use clap::Parser as _;
use rustix::process::{Resource, Rlimit, setrlimit};

/// A thread of its own gives what was freed back to the system, so that a burst of large responses does not stay in memory.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The most bytes that wait for the reader of an output: of standard error, until the configuration says how many.
const BUFFER_BYTES: usize = 1024 * 1024;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match BackgroundWriter::start("standard-error", io::stderr(), BUFFER_BYTES) {
        Ok(errors) => carry_out(&cli, errors),
        Err(error) => {
            writeln!(io::stderr(), "antiphon: the system gives no thread: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn carry_out(cli: &Cli, mut errors: BackgroundWriter) -> ExitCode {
    let ended = try_main(cli, &mut errors);
    // If nobody reads standard error, the exit code has to say it all.
    errors.flush().ok();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the answer has seen enough: `antiphon keys list | head -1`.
        Err(error) if cli::reader_left(&cli.command, &error) => ExitCode::FAILURE,
        Err(error) => {
            errors.write_all(cli::report(&error).as_bytes()).and_then(|()| errors.flush()).ok();
            cli::exit_code(&error).into()
        }
    }
}

fn try_main(cli: &Cli, errors: &mut BackgroundWriter) -> anyhow::Result<()> {
    #[cfg(feature = "fault-points")]
    antiphon::fault::arm()?;
    if let Command::Completions { shell } = cli.command {
        return Ok(cli::completions(shell, &mut io::stdout().lock())?);
    }
    forbid_core_dumps()?;
    let config = cli.load_config(&Environment::of_process())?;
    telemetry::init(&config.log, errors)?;
    // What a command answers is all written, however slowly it is read. A server waits for nobody.
    let mut out: Box<dyn Write> = if matches!(cli.command, Command::Serve { .. }) {
        Box::new(BackgroundWriter::start("standard-output", io::stdout(), BUFFER_BYTES)?)
    } else {
        Box::new(io::stdout().lock())
    };
    actix_rt::System::new().block_on(cli::run(cli, &config, &mut *out, errors))
}

/// A dump of this process would hold keys and what people said.
fn forbid_core_dumps() -> io::Result<()> {
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}
