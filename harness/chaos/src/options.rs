//! What can be asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::plan::Shape;

/// Kills servers while clients use them, and finds out whether anything that a client was told became untrue.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// For how many minutes
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// ... and seconds [default: one minute in all]
    #[arg(long, default_value_t = 0)]
    seconds: u64,
    /// What the plan is made from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The database
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    pub(crate) database: Database,
    /// Where to write the verdict, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The server; otherwise it is built
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
    /// How many servers share a PostgreSQL
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    servers: u8,
    /// How many clients come in a second [default: 35, or 15 without optimization]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: Option<u32>,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    /// One server with a file.
    Sqlite,
    /// A PostgreSQL that several servers share.
    Postgres,
}

impl Database {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Options {
    pub(crate) fn shape(&self) -> Shape {
        let asked = Duration::from_secs(self.minutes * 60 + self.seconds);
        let slow = cfg!(debug_assertions);
        let servers = match self.database {
            Database::Sqlite => 1,
            Database::Postgres => usize::from(self.servers),
        };
        Shape {
            servers,
            duration: if asked.is_zero() { Duration::from_secs(60) } else { asked },
            rate: self.rate.unwrap_or(if slow { 15 } else { 35 }),
            // Two servers are hit as often as one: of the two, one is up more of the time.
            gap: if slow { (700, 3_000 * servers as u64) } else { (200, 1_800 * servers as u64) },
            // Where there is another server, long enough to lose the lease to it.
            longest_stop: if servers > 1 { 5_000 } else { 1_500 },
            keys: true,
            network: self.database == Database::Postgres,
            deletions: true,
        }
    }
}
