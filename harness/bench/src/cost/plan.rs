//! How many deltas a provider says, and how fast.

use std::time::Duration;

/// How long the deltas of a paced measurement take.
const PACED: Duration = Duration::from_secs(4);
/// How many deltas all streams of an unpaced measurement have together, about.
const UNPACED: usize = 50_000;
const MOST_PER_STREAM: usize = 20_000;

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
