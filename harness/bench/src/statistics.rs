//! What many numbers come to.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The median of at least one number.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The rows that measured the same, each with the first of them, in the order in which those came.
pub(crate) fn by_what<R, W: PartialEq>(rows: &[R], what: impl Fn(&R) -> W) -> Vec<(&R, Vec<&R>)> {
    let mut groups: Vec<(&R, Vec<&R>)> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(first, _)| what(first) == what(row)) {
            Some((_, same)) => same.push(row),
            None => groups.push((row, vec![row])),
        }
    }
    groups
}

/// How long something took, in microseconds: in half of all cases, and in all but the slowest hundredth.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Quantiles<N> {
    pub(crate) p50: N,
    pub(crate) p99: N,
    pub(crate) max: N,
}

impl Quantiles<f64> {
    /// By the nearest rank, of at least one time: each is a time that was measured.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1e6;
        Self { p50: rank(50), p99: rank(99), max: rank(100) }
    }

    /// What each is more than another's.
    pub(crate) fn above(self, other: Self) -> Self {
        Self { p50: self.p50 - other.p50, p99: self.p99 - other.p99, max: self.max - other.max }
    }

    /// Of several runs, at least one.
    pub(crate) fn spread(runs: &[Self]) -> Quantiles<Spread> {
        let of = |field: fn(&Self) -> f64| Spread::of(runs.iter().map(field).collect());
        Quantiles { p50: of(|run| run.p50), p99: of(|run| run.p99), max: of(|run| run.max) }
    }
}

/// A number that was measured in several runs.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    /// Of at least one number.
    pub(crate) fn of(values: Vec<f64>) -> Self {
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { median: median(values), lowest, highest }
    }
}

/// The median, and what it lies between if there was more than one run.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.median)?;
        if self.lowest < self.highest {
            write!(f, " ({:.0}-{:.0})", self.lowest, self.highest)?;
        }
        Ok(())
    }
}
