//! The command line.
//!
//! Every command but `serve` works beside a running server: the database is shared, the lock of the data
//! directory is the server's alone. Results go to standard output, everything else to standard error.

mod args;
mod data_dir;
mod keys;
mod maintenance;
mod models;
mod providers;
mod reachability;
mod run;
mod serve;
mod server;
mod site;
mod time;
mod users;

pub use args::{Cli, Command};
pub use data_dir::{DataDir, DataDirLock};
pub use run::run;
pub use serve::{ServeInput, prepare};

#[cfg(test)]
mod tests;
