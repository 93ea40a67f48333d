//! What can be asked for.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Parser, Subcommand, ValueEnum};

use crate::target::Kind;

/// Measures what a streamed delta costs, how late it comes, and how soon a cancelled one is the last.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// What to measure
    #[arg(long, value_enum, default_value_t = What::Cost)]
    pub(crate) what: What,
    /// How many streams are open at a time; for `cancel`, how many others
    /// [default: cost 1,100,1000, latency 1,200, cancel 0,100, recovery and takeover 1000, neighbours 100]
    #[arg(long, value_delimiter = ',')]
    streams: Vec<usize>,
    /// How often all is measured; medians are shown
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) runs: u32,
    /// latency: how often each server has its turn in a run
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// cancel: how many responses are cancelled in a run
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) cancels: u32,
    /// neighbours: how long after the last answer memory is looked at again, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub(crate) settle: u64,
    /// Where to write the results as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The server [default: antiphon in this program's folder]
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

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Processor time and memory, beside nginx.
    Cost,
    /// How late the first delta and the others come, beside the provider itself.
    Latency,
    /// How soon the provider's socket is closed when a response is cancelled.
    Cancel,
    /// How soon all is settled and readable after the server was killed.
    Recovery,
    /// How soon another server has ended all that a killed one left.
    Takeover,
    /// What it takes to read a delta of a provider's stream, in each protocol.
    Decode,
    /// How late a short answer of one provider comes beside many long ones of another.
    Neighbours,
    /// What each connection, stream, replay and body takes of the memory, and the rate of short responses.
    Capacity,
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
    /// The provider and the clients of long answers
    #[command(hide = true)]
    NeighboursLoad,
}

impl Options {
    pub(crate) fn streams(&self) -> Vec<usize> {
        match self.what {
            _ if !self.streams.is_empty() => self.streams.clone(),
            What::Cost => vec![1, 100, 1000],
            What::Latency => vec![1, 200],
            What::Cancel => vec![0, 100],
            What::Neighbours => vec![100],
            What::Recovery | What::Takeover => vec![1000],
            What::Decode | What::Capacity => vec![1],
        }
    }

    pub(crate) fn kinds(&self) -> anyhow::Result<Vec<Kind>> {
        Ok(match self.what {
            // Nothing else keeps a response that could be cancelled.
            What::Cancel | What::Recovery | What::Takeover if self.only.iter().any(|kind| *kind != Kind::Stored) => {
                bail!("cancel, recovery and takeover measure nothing but stored")
            }
            _ if !self.only.is_empty() => self.only.clone(),
            What::Cost => Kind::ALL.to_vec(),
            What::Latency | What::Neighbours | What::Capacity => vec![Kind::Stored, Kind::Unstored],
            What::Cancel | What::Recovery | What::Takeover => vec![Kind::Stored],
            What::Decode => Vec::new(),
        })
    }
}
