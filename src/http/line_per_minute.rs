//! What may happen in any number, counted: a flood of it is no flood of lines.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long what happens further is only counted.
const QUIET: Duration = Duration::from_secs(60);

/// A line of the log that says how often something happened since the last one, once a minute at most.
#[derive(Debug, Default)]
pub(super) struct LinePerMinute(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    told: Option<Instant>,
    times: u64,
}

impl LinePerMinute {
    /// Counts once more; the number that the log is to tell, if it is time to tell one.
    pub(super) fn count(&self, now: Instant) -> Option<u64> {
        let mut untold = self.0.lock();
        untold.times += 1;
        if untold.told.is_some_and(|told| now < told + QUIET) {
            return None;
        }
        untold.told = Some(now);
        Some(std::mem::take(&mut untold.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_those_of_a_minute_together() {
        let (line, start) = (LinePerMinute::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(line.count(at(0)), Some(1));
        assert!((1..60).all(|second| line.count(at(second)).is_none()));
        assert_eq!(line.count(at(60)), Some(60));
        assert_eq!((line.count(at(61)), line.count(at(200))), (None, Some(2)));
    }
}
