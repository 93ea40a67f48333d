//! What can be asked for, and how many deltas that makes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use super::target::Kind;

/// How long the deltas of a paced measurement take.
const PACED: Duration = Duration::from_secs(4);
/// How many deltas all streams of an unpaced measurement have together, about.
const UNPACED: usize = 50_000;
const MOST_PER_STREAM: usize = 20_000;

/// Measures what a streamed delta costs.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How many streams are open at a time
    #[arg(long, value_delimiter = ',', default_value = "1,100,1000")]
    pub(crate) streams: Vec<usize>,
    /// How often all is measured; medians are shown
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) runs: u32,
    /// Where to write the results as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The server [default: antiphon beside this program's folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) antiphon: Option<PathBuf>,
    /// nginx
    #[arg(long, value_name = "FILE", default_value = "nginx")]
    pub(crate) nginx: PathBuf,
    /// Measures only these
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// What this program is, when it starts itself
    #[command(subcommand)]
    pub(crate) mode: Option<Mode>,
}

/// Another part for this program to play.
#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// A node that tells its commits
    #[command(hide = true)]
    Node {
        /// The configuration file
        config: PathBuf,
        /// The data directory
        data: PathBuf,
    },
}

/// How fast the provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As a model does: one delta at a time, streams out of step.
    Paced,
    /// As fast as sockets take it.
    Unpaced,
}

/// What the provider sends in every stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) pace: Pace,
    /// How many streams share the beat.
    pub(crate) streams: usize,
    /// Deltas of a stream, not counting the first.
    pub(crate) deltas: usize,
    /// The time between two of them.
    pub(crate) interval: Duration,
}

impl Pace {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Paced => "paced",
            Self::Unpaced => "unpaced",
        }
    }

    /// Enough deltas to measure, and few enough that neither two cores nor a minute are used up.
    pub(crate) fn plan(self, streams: usize) -> Plan {
        let millis = (streams / 5).max(10);
        let interval = Duration::from_millis(millis as u64);
        match self {
            Self::Paced => {
                let deltas = (PACED.as_millis() / interval.as_millis()).max(1);
                Plan { pace: self, streams, deltas: usize::try_from(deltas).unwrap_or(1), interval }
            }
            Self::Unpaced => {
                let deltas = (UNPACED / streams.max(1)).clamp(1, MOST_PER_STREAM);
                Plan { pace: self, streams, deltas, interval: Duration::ZERO }
            }
        }
    }
}

impl Options {
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        if self.only.is_empty() { Kind::ALL.to_vec() } else { self.only.clone() }
    }
}
