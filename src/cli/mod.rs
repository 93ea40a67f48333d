//! The command line.
//!
//! Every command but `serve` works beside a running server: the database is shared, the lock of the data
//! directory is the server's alone. Results go to standard output, everything else to standard error.

mod args;
mod command_context;
mod data_dir;
mod doctor;
#[cfg(feature = "fault-points")]
mod faults;
mod keys;
mod maintenance;
mod models;
mod providers;
mod reachability;
mod report;
mod run;
mod serve;
mod server;
mod startup_error;
mod startup_warnings;
mod system_limits;
mod time;
mod users;
mod welcome;

pub use args::{Cli, Command, completions};
pub use data_dir::{DataDir, DataDirLock};
pub use report::{exit_code, reader_left, report};
pub use run::run;
pub use serve::{ServeInput, prepare};
pub use startup_error::StartupError;

#[cfg(test)]
mod tests;
