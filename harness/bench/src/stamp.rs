//! When a delta was written: it carries the time itself, since the provider and the clients share a clock.

use std::time::Duration;

use tokio::time::Instant;

/// What a stamp begins with; no other text of a stream has it.
const MARK: char = '~';
/// Hexadecimal digits of a stamp: a day has fewer nanoseconds.
const DIGITS: usize = 12;

/// The clock of the provider and the clients, who are in one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the clock was started.
    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// A delta's text that tells a time.
pub(crate) fn stamp(time: Duration) -> String {
    format!(" {MARK}{:0DIGITS$x}", time.as_nanos())
}

/// The times that a text tells: a server may have put several deltas into one.
pub(crate) fn stamps(text: &str) -> impl Iterator<Item = Duration> {
    let digits = text.split(MARK).skip(1).filter_map(|after| after.get(..DIGITS));
    digits.filter_map(|digits| u64::from_str_radix(digits, 16).ok()).map(Duration::from_nanos)
}
