//! The command line.
//!
//! Every command but `serve` works beside a running server: the database is shared, the lock of the data
//! directory is the server's alone. Results go to standard output, everything else to standard error.

mod args;
mod dangers;
mod data_dir;
mod keys;
mod maintenance;
mod models;
mod obstacle;
mod providers;
mod reachability;
mod report;
mod run;
mod serve;
mod server;
mod site;
mod time;
mod users;
mod welcome;

pub use args::{Cli, Command, completions};
pub use data_dir::{DataDir, DataDirLock};
pub use obstacle::Obstacle;
pub use report::{exit_code, reader_left, report};
pub use run::run;
pub use serve::{ServeInput, prepare};

#[cfg(test)]
mod tests;
